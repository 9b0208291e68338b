#!/usr/bin/env python3
"""Makes the C++ of the Kafka messages from kafka/definitions/ (python3, standard library only; runs in the build).

usage: kafka/generate.py --out FOLDER [--list] DEFINITION...

Writes FOLDER/NAME.hpp, NAME.cpp and NAME_draw.cpp for each definition, and api_key.hpp, api_table.cpp and all.hpp. A
file whose text has not changed is left alone, so that nothing is compiled again for it. The same definitions give the
same bytes. --list prints the names of the files instead. A wrong definition is told as FILE:LINE: WHAT, exit 1.
"""
import argparse
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent / "generator"))
import cpp  # noqa: E402
import definition  # noqa: E402


def shown(path):
    """The path as texts name it: from the root of the tree."""
    parts = Path(path).parts
    return "/".join(parts[len(parts) - parts[::-1].index("kafka") - 1:]) if "kafka" in parts else str(path)


def check_together(definitions):
    """What no single definition can say about itself."""
    keys, names = {}, {}
    for d in definitions:
        if d.name in names:
            raise definition.Mistake(f"{d.path}:1: {d.name} is defined in {names[d.name]} too")
        names[d.name] = d.path
        if d.key is not None and d.key in keys:
            raise definition.Mistake(f"{d.path}:1: key {d.key} belongs to {keys[d.key]} already")
        keys[d.key] = d.path


def generate(paths):
    """File name -> text."""
    definitions = [definition.read(path) for path in paths]
    definitions.sort(key=lambda d: (-1 if d.key is None else d.key, d.name))
    check_together(definitions)
    folder = "kafka/definitions/"
    out = {}
    for d in definitions:
        out[f"{d.name}.hpp"] = cpp.header(d, shown(d.path))
        out[f"{d.name}.cpp"] = cpp.source(d, shown(d.path))
        out[f"{d.name}_draw.cpp"] = cpp.draw_source(d, shown(d.path))
    out["api_key.hpp"] = cpp.keys_header(definitions, folder)
    out["api_table.cpp"] = cpp.table_source(definitions, folder)
    out["all.hpp"] = cpp.all_header(definitions, folder)
    return out


def main(arguments):
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("definitions", nargs="+")
    options = parser.parse_args(arguments)
    try:
        files = generate(options.definitions)
    except (definition.Mistake, OSError, UnicodeDecodeError) as wrong:
        print(f"generate.py: {wrong}", file=sys.stderr)
        return 1
    if options.list:
        print("\n".join(sorted(files)))
        return 0
    options.out.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        path = options.out / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
