"""Who may include whom: the table of docs/architecture.md as a check, with the edge counts for people."""
from collections import Counter

# A folder sees itself and these. What is not named here may see everything, but nobody named here may see it.
SEES = {
    "schema": set(),
    "protocol": {"schema"},
    "persistence": {"schema"},
    "actors": {"schema", "protocol", "persistence"},
    "kafka": {"schema", "actors"},
    "node": {"schema", "protocol", "persistence", "actors", "kafka"},
    "client": {"schema"},
    "cli": {"schema", "client", "node"},
    "examples": {"client", "schema"},
}
# Parts of a folder that see less than the whole of it.
SEES_LESS = {"kafka/codec/": {"kafka", "schema"}}
SEES_ALL = {"simulations", "tests", "bench"}

LIBRARIES = {"caf": ("caf/",), "capnp": ("capnp/", ".capnp.h"), "kj": ("kj/",), "leveldb": ("leveldb/",)}

# Libraries a folder's files do not include themselves.
NOT_DIRECTLY = {
    "schema": {"caf", "leveldb"},
    "protocol": {"caf", "capnp", "kj", "leveldb"},
    "persistence": {"caf", "capnp", "kj"},
    "actors": {"capnp", "kj", "leveldb"},
    "kafka": {"capnp", "leveldb"},
    "client": {"caf", "leveldb"},
    "cli": {"caf", "leveldb"},
}


def library_of(name):
    for library, marks in LIBRARIES.items():
        if any(name.startswith(m) or (m.startswith(".") and name.endswith(m)) for m in marks):
            return library
    return None


def includes_kj(file):
    return any(library_of(i.name) == "kj" for i in file.includes)


def is_words_header(file):
    """schema's words: every header outside wire/ and the byte-stream seams, which carry Cap'n Proto and KJ.

    A seam's *_posix.hpp that names KJ itself belongs to the byte streams too; no words header can reach it unseen,
    because what it reaches is checked.
    """
    if file.folder != "schema" or not file.is_header or file.path.startswith("schema/wire/"):
        return False
    if file.path.startswith("schema/seams/"):
        name = file.path.rsplit("/", 1)[1]
        return not ("network" in name or "io_loop" in name or name.endswith("_posix.hpp") and includes_kj(file))
    return True


def never_reached_from(file):
    """Libraries a file may not see even through our own headers."""
    if is_words_header(file):
        return {"caf", "capnp", "kj", "leveldb"}
    if file.folder == "protocol" or file.path.startswith("kafka/codec/"):
        return {"caf", "capnp", "kj", "leveldb"}
    if file.path.startswith("client/include/"):
        return {"caf", "capnp", "kj", "leveldb"} if file.is_header else set()
    if file.folder == "client":
        return {"caf", "leveldb"}
    return set()


def edges(tree):
    """(file, include, path or None) for every include of the tree."""
    for file in tree.code:
        for include in file.includes:
            yield file, include, tree.resolve(file, include)


def layers(tree, report):
    count = Counter()
    for file, include, path in edges(tree):
        if path is None:
            if include.quoted:
                report(file.path, include.line, f'"{include.name}" names no file from the root of the tree')
            continue
        if include.quoted and path != include.name and path != "client/include/" + include.name \
                and not path.endswith(".capnp.h"):
            report(file.path, include.line, f'write "{path}": includes start at the root of the tree')
        target = path.split("/")[0]
        count[(file.folder, target)] += 1
        if file.folder == target or file.folder in SEES_ALL:
            continue
        if file.folder not in SEES:
            report(file.path, include.line, f"{file.folder or 'the root'} has no row in the layer table")
        elif target not in SEES[file.folder]:
            seen = ", ".join(sorted(SEES[file.folder])) or "nothing of ours"
            report(file.path, include.line, f"back edge {file.folder} -> {target} ({file.folder} sees {seen})")
        else:
            for part, seen in SEES_LESS.items():
                if file.path.startswith(part) and target not in seen:
                    report(file.path, include.line, f"back edge {part} -> {target} (it sees {', '.join(sorted(seen))})")
    for (source, target), number in sorted(count.items()):
        if source != target:
            print(f"  {source:>12} -> {target:<12} {number:5}")


def libraries(tree, report):
    for file in tree.code:
        banned = NOT_DIRECTLY.get(file.folder, set())
        for include in file.includes:
            library = library_of(include.name)
            if library in banned:
                report(file.path, include.line, f"{file.folder} does not include {library}")
        wanted = never_reached_from(file)
        if wanted:
            for library, route in reached(tree, file).items():
                if library in wanted:
                    report(file.path, route[0], f"sees {library} through {' -> '.join(route[1])}")


def reached(tree, file):
    """library -> (line of the first step, the way to it), over all headers of ours that `file` pulls in."""
    found, seen, queue = {}, {file.path}, [(file, None, ())]
    while queue:
        at, first_line, way = queue.pop(0)
        for include in at.includes:
            line = first_line or include.line
            library = library_of(include.name)
            if library:
                found.setdefault(library, (line, way + (include.name,)))
            path = tree.resolve(at, include)
            if path and path in tree.by_path and path not in seen:
                seen.add(path)
                queue.append((tree.by_path[path], line, way + (path,)))
    return found
