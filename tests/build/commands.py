"""kymo(1), kymofs(8) and the completion of kymo have the same commands and options as the help of the
programs. The sessions in their EXAMPLES run and print what the pages show.

    commands.py ROOT KYMO KYMOFS
"""

import os
import re
import subprocess
import sys
import tempfile

import console
import man

# Added by argp.
COMMON = {"help", "usage", "version"}


def help_of(*command):
    return subprocess.run([*command, "--help"], capture_output=True, text=True, check=True).stdout


def page_lines(path):
    with open(path, encoding="utf-8") as file:
        return file.read().splitlines()


def commands_of(kymo):
    return re.findall(r"^  ([a-z]+) {2,}", help_of(kymo), re.M)


def options_of(kymo, command):
    return set(re.findall(r"--([a-z][a-z-]*)", help_of(kymo, command))) - COMMON


def described(lines):
    """The long options under each command of kymo(1): command -> options."""
    found, command = {}, None
    for line in lines:
        if line.startswith((".Sh ", ".Ss ")):
            command = None
        named = re.match(r"\.It Cm ([a-z]+)", line)
        if named:
            command = named.group(1)
            found[command] = set()
        if command and line.startswith(".It "):
            found[command] |= set(re.findall(r"(?:Fl|[|,]) -([a-z][a-z-]*)", line))
    return found


def compare_kymo(path, kymo):
    page = described(page_lines(path))
    commands = commands_of(kymo)
    if not commands or set(commands) != set(page):
        man.fail(path, f"has the commands {sorted(page)}, the help has {sorted(commands)}")
    for command in commands:
        options = options_of(kymo, command)
        for option in sorted(options ^ page.get(command, set())):
            where = "the help" if option in options else "the page"
            man.fail(path, f"{command} --{option} is only in {where}")


def compare_kymofs(path, kymofs):
    items = "\n".join(line for line in page_lines(path) if line.startswith(".It Fl"))
    page = set(re.findall(r"Fl (\w)\b", items)) | set(re.findall(r"o Cm (\w+)", items))
    text = help_of(kymofs)
    options = set(re.findall(r"^  -(\w)\b", text, re.M))
    options |= set(re.findall(r"^  -o ([a-z_]+)", text, re.M))
    # -o debug is documented in the page only.
    for option in sorted((options ^ page) - {"debug"}):
        where = "the help" if option in options else "the page"
        man.fail(path, f"{option} is only in {where}")


def complete(script, kymo, *words):
    """The completions of bash for the last word."""
    program = f"""
        PATH={os.path.dirname(kymo)}:$PATH
        . {script}
        COMP_WORDS=({" ".join(f"'{word}'" for word in words)}) COMP_CWORD={len(words) - 1}
        _kymo
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=True)
    if done.stderr:
        man.fail(script, done.stderr)
    return set(done.stdout.split())


def check_completion(script, kymo):
    for name in ("imu", "image"):
        subprocess.run([kymo, "pub", name, "--fields", "x:f64"], input='{"x":1}\n', text=True, check=True)

    def offers(expected, *words):
        offered = complete(script, kymo, *words)
        if offered != set(expected):
            man.fail(script, f"{words}: offers {sorted(offered)} instead of {sorted(expected)}")

    offers(commands_of(kymo) + ["--help", "--version"], "kymo", "")
    offers(["imu", "image"], "kymo", "get", "im")
    offers(["--count="], "kymo", "watch", "--c")
    offers(["oldest", "newest"], "kymo", "watch", "--from", "=", "")
    offers(["oldest"], "kymo", "watch", "--from", "=", "o")
    offers(["always", "waiters"], "kymo", "pub", "--wake", "=")


def run_examples(path, lines, kymo, kymofs):
    """Runs with the segments of kymo host, which the example of kymofs(8) uses."""
    shown = [text for text in man.displays(lines) if text.startswith("$ ")]
    if not shown:
        man.fail(path, "contains no command")
    with tempfile.TemporaryDirectory() as folder:
        env = console.environment(folder, kymo, kymofs)
        host = subprocess.Popen([kymo, "host", "--hz", "20"], env=env)
        try:
            wait = f"until {kymo} get host.load; do sleep 0.05; done"
            subprocess.run(["bash", "-c", wait], env=env, capture_output=True, timeout=30, check=True)
            for text in shown:
                console.check(text, folder, env, lambda what: man.fail(path, what))
        finally:
            host.terminate()
            host.wait()
            view = os.path.join(folder, "view")
            if os.path.ismount(view):
                subprocess.run(["fusermount3", "-u", view], check=False)


def main():
    root, kymo, kymofs = sys.argv[1:4]
    pages = [os.path.join(root, "tools", "kymo", "kymo.1"), os.path.join(root, "fusefs", "kymofs.8")]
    man.lint(pages)
    compare_kymo(pages[0], kymo)
    compare_kymofs(pages[1], kymofs)
    check_completion(os.path.join(root, "tools", "kymo", "completion.bash"), kymo)
    run_examples(pages[0], page_lines(pages[0]), kymo, kymofs)
    if os.access("/dev/fuse", os.W_OK):
        run_examples(pages[1], page_lines(pages[1]), kymo, kymofs)
    print(f"{len(pages)} pages, {man.failures} failures")
    return man.failures > 0


if __name__ == "__main__":
    sys.exit(main())
