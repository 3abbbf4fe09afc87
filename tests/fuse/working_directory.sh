# A directory stays usable as a working directory while its segment is removed and created again.
. "$(dirname "$0")/mounted.sh"

"$SEGMENT" make imu fields=n:u64 count=5 || exit 1
mount_view

newest()
{
    sed 's/.*"n":\([0-9]*\)}}/\1/' "$1"
}

rounds=0
while [ $rounds -lt 3 ]; do
    rounds=$((rounds + 1))
    for directory in imu imu/history imu/field; do
        cd "$mnt/$directory" || exit 1
        case $directory in
        imu) file=latest ;;
        imu/history) file=0 ;;
        *) file=n ;;
        esac
        succeeds "$directory: its files are readable" cat $file
        "$SEGMENT" remove imu
        check "$directory of a removed segment is empty" "" "$(ls -A . 2>&1)"
        check "opening a file in $directory of a removed segment fails" "ENOENT" "$("$READERS" open $file)"
        check "$directory of a removed segment is a directory of mode 555" "dr-xr-xr-x 0 0 0" "$(stat -c '%A %u %g %Y' .)"
        "$SEGMENT" make imu fields=n:u64 count=7 || exit 1
        succeeds "$directory lists the files of the segment that was created again" sh -c "ls . | grep -qx $file"
        check "$directory opens the files of the segment that was created again" "6" "$(newest $file)"
        "$SEGMENT" make imu fields=n:u64 count=9 existing=replace || exit 1
        check "$directory opens the files of a new generation" "8" "$(newest $file)"
    done
done
cd / || exit 1

# The same after lookups of 300 other names: the kernel keeps the directory's inode.
cd "$mnt/imu" || exit 1
"$SEGMENT" remove imu
i=0
while [ $i -lt 300 ]; do
    i=$((i + 1))
    [ ! -e "$mnt/nothing$i" ] || echo "exists"
done
"$SEGMENT" make imu fields=n:u64 count=2 || exit 1
check "the working directory opens the created segment after 300 other lookups" "1" "$(newest latest)"
cd / || exit 1

finish
