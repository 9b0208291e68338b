"""What comes in from outside only: time, randomness, files, sockets, threads (docs/architecture.md, the seams).

Each pattern carries an example; the self-test plants every one of them, so that none of these lines is dead.
"""
import re

FOLDERS = ("schema/", "protocol/", "persistence/", "actors/", "kafka/", "client/core/")

_POSIX = (r"(?<![\w>])::(?:open|openat|creat|read|write|pread|pwrite|preadv|pwritev|readv|writev|fsync|fdatasync|ftruncate|"
          r"truncate|fallocate|posix_fallocate|mmap|unlink|unlinkat|rename|renameat|mkdir|rmdir|stat|fstat|statvfs|flock|"
          r"link|symlink)\s*\(")

PATTERNS = {
    "clocks": [
        (r"\bsystem_clock\b", "auto t = std::chrono::system_clock::now();"),
        (r"\bsteady_clock\b", "auto t = std::chrono::steady_clock::now();"),
        (r"\bhigh_resolution_clock\b", "using c = std::chrono::high_resolution_clock;"),
        (r"\bclock_gettime\b", "clock_gettime(CLOCK_MONOTONIC, &ts);"),
        (r"\bgettimeofday\b", "gettimeofday(&tv, nullptr);"),
        (r"\btimespec_get\b", "timespec_get(&ts, TIME_UTC);"),
        (r"\btime\s*\(\s*(?:nullptr|NULL|0)\s*\)", "auto t = time(nullptr);"),
        (r"\bsystem(?:Precise|Coarse)\w*Clock\b", "auto& c = kj::systemPreciseMonotonicClock();"),
        (r"\bcaf::make_timestamp\b", "auto t = caf::make_timestamp();"),
    ],
    "sleeps": [
        (r"\bsleep_for\b", "std::this_thread::sleep_for(x);"),
        (r"\bsleep_until\b", "std::this_thread::sleep_until(x);"),
        (r"\busleep\s*\(", "usleep(10);"),
        (r"\bnanosleep\s*\(", "nanosleep(&ts, nullptr);"),
        (r"(?<![\w.>])sleep\s*\(\s*\d", "sleep(1);"),
    ],
    "randomness": [
        (r"\brandom_device\b", "std::random_device d;"),
        (r"(?<![\w.>])s?rand\s*\(", "int x = rand();"),
        (r"\bgetrandom\s*\(", "getrandom(p, n, 0);"),
        (r"\barc4random\w*\s*\(", "auto x = arc4random();"),
    ],
    "files": [
        (_POSIX, "int fd = ::open(path, 0);"),
        (r"\bf(?:d|re)?open\s*\(", 'FILE* f = fopen(path, "r");'),
        (r"\bstd::[io]?fstream\b", "std::ofstream out;"),
        (r"\bstd::rename\s*\(", "std::rename(from, to);"),
        (r"\bstd::filesystem\b", "namespace fs = std::filesystem;"),
        (r"^\s*#\s*include\s*<(?:fstream|filesystem|fcntl\.h|sys/mman\.h)>", "#include <fstream>"),
        (r"\bmk[sd]temp\w*\s*\(", "int fd = mkstemp(name);"),
        (r"\bopendir\s*\(", "DIR* d = opendir(path);"),
        (r"\bEnv::Default\s*\(", "auto* env = leveldb::Env::Default();"),
    ],
    "sockets": [
        (r"(?<![\w>])::(?:socket|connect|bind|listen|accept4?|recv|send|recvmsg|sendmsg|poll|epoll_\w+|getaddrinfo)\s*\(",
         "int s = ::socket(1, 1, 0);"),
        (r"^\s*#\s*include\s*<(?:sys/socket\.h|sys/epoll\.h|netdb\.h)>", "#include <sys/socket.h>"),
    ],
    "threads": [
        (r"\bstd::j?thread\b(?!\s*::)", "std::thread t;"),
        (r"\bstd::async\b", "auto f = std::async(g);"),
        (r"\bpthread_create\b", "pthread_create(&t, nullptr, f, nullptr);"),
        (r"\bspawn\s*<[^;(]*\bdetached\b", "sys.spawn<caf::detached>(f);"),
        (r"(?<![\w>])::v?fork\s*\(", "auto p = ::fork();"),
    ],
}
COMPILED = {rule: [re.compile(p, re.M) for p, _ in rows] for rule, rows in PATTERNS.items()}


def applies(file):
    return file.is_code and file.path.startswith(FOLDERS) and not file.path.endswith("_posix.cpp")


def names_a_system_header(file, pattern):
    """The header of an implementation may name the system's types; calls stand in its source."""
    return file.path.endswith("_posix.hpp") and "include" in pattern.pattern


def seam(rule):
    """The check for one row of PATTERNS."""

    def check(tree, report):
        for file in tree.files:
            if not applies(file):
                continue
            for pattern in COMPILED[rule]:
                if names_a_system_header(file, pattern):
                    continue
                for match in pattern.finditer(file.bare):
                    # finditer may start on the blank lines that ^\s* swallows
                    at = match.end() - len(match.group().lstrip())
                    line = file.bare.count("\n", 0, at) + 1
                    report(file.path, line, f"{' '.join(match.group().split())} comes in from outside: "
                                            "use the seam, or implement one in a *_posix.cpp")
    return check
