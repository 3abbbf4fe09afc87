# st_size is the length of the content of a segment that is not being written: tar, cpio, rsync, git and a
# web server copy all bytes.
. "$(dirname "$0")/mounted.sh"

"$SEGMENT" make small 'fields=n:u64,x:f64[3],s:char[8]' count=100 depth=64 || exit 1
"$SEGMENT" make large 'fields=n:u64,x:f64[700]' count=20 depth=16 || exit 1
"$SEGMENT" make frame image=rgb8:320x200 depth=4 count=2 || exit 1
"$SEGMENT" make empty fields=n:u64 || exit 1
mount_view

# Listed files, except metrics.prom, which changes with each request, and those without a record.
files()
{
    (cd "$mnt" && find small large frame README -type f)
}
files >"$work/files"
check "more than 150 files are compared" "many" "$([ "$(wc -l <"$work/files")" -gt 150 ] && echo many)"

# The size that lstat, and fstat after open, report; what read returns.
cat >"$work/sizes.py" <<'END'
import os, sys
mount, names = sys.argv[1], open(sys.argv[2]).read().splitlines()
names += ["small/closest?t=now", "small/closest/-1s.raw", "large/range?from=0&to=now",
          "large/range?from=0&to=now&format=csv", "small/interp?t=-1h", "at/now/small/latest",
          "at/now/small/history.csv", "empty/history.csv", "empty/latest"]
wrong = 0
for name in names:
    path = os.path.join(mount, name)
    before = os.lstat(path).st_size
    try:
        with open(path, "rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            length = len(file.readall())
    except OSError:
        size = length = 0
    if not before == size == length:
        print(name, before, size, length)
        wrong += 1
print(len(names), "files,", wrong, "wrong")
END
python3 "$work/sizes.py" "$mnt" "$work/files" >"$work/sizes"
check "lstat, fstat and read agree on the length" "0 wrong" "$(tail -n 1 "$work/sizes" | sed 's/.*, //')"
[ "$(wc -l <"$work/sizes")" -le 1 ] || head -n 5 "$work/sizes"

# info contains the age of the newest record: its bytes change, its length does not.
grep -v "/info$" "$work/files" >"$work/constant"

# compare TEXT DIRECTORY: the files of DIRECTORY have the bytes that cat prints.
compare()
{
    (cd "$2" && while read -r file; do
        cat "$mnt/$file" | cmp -s - "$file" || echo "$file"
    done <"$work/constant") >"$work/different"
    check "$1" "" "$(head -n 3 "$work/different")"
    rm -rf "$2"
}

mkdir "$work/tar"
check "tar reports no error" "" "$(tar -C "$mnt" -cf - -T "$work/files" 2>&1 >"$work/tar.tar")"
tar -C "$work/tar" -xf "$work/tar.tar"
compare "tar copies all bytes" "$work/tar"
if command -v cpio >/dev/null; then
    mkdir "$work/cpio"
    check "cpio reports no error" "" "$(cd "$mnt" && cpio --quiet -o <"$work/files" 2>&1 >"$work/cpio.cpio")"
    (cd "$work/cpio" && cpio --quiet -id <"$work/cpio.cpio")
    compare "cpio copies all bytes" "$work/cpio"
fi
if command -v rsync >/dev/null; then
    check "rsync reports no error" "" "$(rsync -a --files-from="$work/files" "$mnt/" "$work/rsync" 2>&1)"
    compare "rsync copies all bytes" "$work/rsync"
fi
if command -v git >/dev/null; then
    (cd "$mnt" && git hash-object --stdin-paths <"$work/constant") >"$work/hashes" 2>&1
    while read -r file; do
        cat "$mnt/$file" | git hash-object --stdin
    done <"$work/constant" >"$work/expected"
    succeeds "git hash-object hashes all bytes" cmp "$work/hashes" "$work/expected"
fi

# Content-Length of a web server is the length of the body.
cat >"$work/server.py" <<'END'
import functools, http.server, sys, threading, urllib.request
mount, names = sys.argv[1], open(sys.argv[2]).read().splitlines()
class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=mount))
threading.Thread(target=server.serve_forever, daemon=True).start()
for name in names:
    with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/{name}", timeout=20) as reply:
        body = reply.read()
        if int(reply.headers["Content-Length"]) != len(body) or body != open(f"{mount}/{name}", "rb").read():
            print(name, reply.headers["Content-Length"], len(body))
server.shutdown()
END
check "a web server sends all bytes" "" "$(python3 "$work/server.py" "$mnt" "$work/constant" 2>&1 | head -n 3)"

finish
