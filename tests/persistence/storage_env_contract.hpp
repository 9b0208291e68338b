// What every storage environment promises, as one suite that is run on each (storage_env_test.cpp).
//
// Call it inside a TEST_CASE with a fresh, empty directory `root`; it is made of SECTIONs.
#pragma once

#include "persistence/storage_env.hpp"

#include <catch2/catch.hpp>
#include <leveldb/db.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

namespace pessoa::tests {

using namespace pessoa::persistence;

inline std::string content_of(const random_file& file) {
  std::string text(file.size().value(), '?');
  auto count = file.read_at(0, reinterpret_cast<uint8_t*>(text.data()), text.size()).value();
  REQUIRE(count == text.size());
  return text;
}

inline void file_contract(storage_env& env, const std::string& root) {
  auto path = root + "/file";

  SECTION("what was written at a position is read there, and holes are zeros") {
    auto file = env.open_file(path, open_mode::create).value();
    file->write_at(4, as_bytes("four")).value();
    file->write_at(10, as_bytes("ten")).value();
    CHECK(content_of(*file) == std::string("\0\0\0\0four\0\0ten", 13));
    file->write_at(5, as_bytes("I")).value();
    CHECK(content_of(*file) == std::string("\0\0\0\0fIur\0\0ten", 13));
    file->sync().value();
    CHECK(content_of(*env.open_file(path, open_mode::read).value()).size() == 13);
  }
  SECTION("many parts are written one after another, empty ones too") {
    std::vector<std::string> texts;
    std::string whole;
    for (int i = 0; i < 500; ++i) {
      texts.push_back(i % 7 == 0 ? ""
                                 : std::string(static_cast<size_t>(i % 50), static_cast<char>('a' + i % 26)));
      whole += texts.back();
    }
    std::vector<byte_view> parts;
    for (auto& text : texts)
      parts.push_back(as_bytes(text));
    auto file = env.open_file(path, open_mode::create).value();
    file->write_at(3, parts).value();
    CHECK(content_of(*file) == std::string(3, '\0') + whole);
    std::vector<byte_view> nothing(200);
    file->write_at(0, nothing).value();
    file->write_at(0, std::span<const byte_view>{}).value();
    CHECK(file->size().value() == whole.size() + 3);
  }
  SECTION("a read is short only at the end") {
    auto file = env.open_file(path, open_mode::create).value();
    file->write_at(0, as_bytes("0123456789")).value();
    std::vector<uint8_t> into(20);
    CHECK(file->read_at(2, into.data(), 5).value() == 5);
    CHECK(as_text({into.data(), 5}) == "23456");
    CHECK(file->read_at(7, into.data(), 20).value() == 3);
    CHECK(file->read_at(10, into.data(), 20).value() == 0);
    CHECK(file->read_at(1000, into.data(), 20).value() == 0);
  }
  SECTION("truncation cuts, and grows with zeros") {
    auto file = env.open_file(path, open_mode::create).value();
    file->write_at(0, as_bytes("0123456789")).value();
    file->truncate(4).value();
    CHECK(content_of(*file) == "0123");
    file->truncate(6).value();
    CHECK(content_of(*file) == std::string("0123\0\0", 6));
    file->sync().value();
  }
  SECTION("the modes of opening differ as they say") {
    for (auto mode : {open_mode::read, open_mode::read_write}) {
      auto missing = env.open_file(path, mode);
      REQUIRE_FALSE(missing.ok());
      CHECK(missing.error().code == ec::not_found);
      CHECK(missing.error().message.find(path) != std::string::npos);
    }
    CHECK(env.open_file(root + "/no/file", open_mode::create).error().code == ec::not_found);
    env.open_file(path, open_mode::create_new).value()->write_at(0, as_bytes("kept")).value();
    CHECK_FALSE(env.open_file(path, open_mode::create_new).ok());
    CHECK(content_of(*env.open_file(path, open_mode::create).value()) == "kept");
    auto reader = env.open_file(path, open_mode::read).value();
    CHECK_FALSE(reader->write_at(0, as_bytes("x")).ok());
    CHECK_FALSE(reader->truncate(0).ok());
    CHECK(content_of(*env.open_file(path, open_mode::read_write).value()) == "kept");
    CHECK_FALSE(env.open_file(root, open_mode::read_write).ok());
  }
  SECTION("a removed or replaced file stays readable to who holds it") {
    auto file = env.open_file(path, open_mode::create).value();
    file->write_at(0, as_bytes("old")).value();
    replace_file(env, path, as_bytes("new")).value();
    CHECK(content_of(*file) == "old");
    auto second = env.open_file(path, open_mode::read).value();
    env.remove_file(path).value();
    CHECK(content_of(*second) == "new");
    CHECK_FALSE(env.exists(path));
  }
}

inline void name_contract(storage_env& env, const std::string& root) {
  SECTION("directories come with their parents, and are listed in order") {
    env.create_directories(root + "/a/b/c").value();
    env.create_directories(root + "/a/b/c").value();
    create_directories_durably(env, root + "/a/d/e").value();
    for (auto* name : {"z", "m", "b"})
      env.open_file(root + "/a/" + std::string{name == std::string{"b"} ? "0" : name}, open_mode::create_new)
          .value();
    env.sync_directory(root + "/a").value();
    CHECK(env.list_directory(root + "/a").value() == std::vector<std::string>{"0", "b", "d", "m", "z"});
    CHECK(env.list_directory(root + "/a/d").value() == std::vector<std::string>{"e"});
    CHECK(env.list_directory(root + "/none").error().code == ec::not_found);
    CHECK(env.sync_directory(root + "/none").error().code == ec::not_found);
    CHECK_FALSE(env.create_directories(root + "/a/m/below-a-file").ok());
  }
  SECTION("renaming replaces a file and refuses a full directory") {
    env.open_file(root + "/one", open_mode::create).value()->write_at(0, as_bytes("1")).value();
    env.open_file(root + "/two", open_mode::create).value()->write_at(0, as_bytes("2")).value();
    env.rename(root + "/one", root + "/two").value();
    CHECK(env.list_directory(root).value() == std::vector<std::string>{"two"});
    CHECK(content_of(*env.open_file(root + "/two", open_mode::read).value()) == "1");
    CHECK(env.rename(root + "/one", root + "/three").error().code == ec::not_found);
    env.create_directories(root + "/d/inside").value();
    env.create_directories(root + "/e").value();
    CHECK_FALSE(env.rename(root + "/e", root + "/d").ok());
    env.rename(root + "/d", root + "/f").value();
    CHECK(env.exists(root + "/f/inside"));
  }
  SECTION("removing what is not there is fine") {
    env.remove_file(root + "/none").value();
    env.remove_tree(root + "/none").value();
    env.create_directories(root + "/t/u").value();
    env.open_file(root + "/t/u/file", open_mode::create).value();
    CHECK_FALSE(env.remove_file(root + "/t").ok());
    env.remove_tree(root + "/t").value();
    CHECK_FALSE(env.exists(root + "/t"));
  }
  SECTION("a lock has one holder, until it lets go") {
    auto held = env.lock_exclusively(root + "/lock").value();
    auto second = env.lock_exclusively(root + "/lock");
    REQUIRE_FALSE(second.ok());
    CHECK(second.error().code == ec::directory_in_use);
    env.open_file(root + "/lock", open_mode::read)
        .value()
        .reset(); // closing another handle gives nothing away
    CHECK_FALSE(env.lock_exclusively(root + "/lock").ok());
    held.reset();
    CHECK(env.lock_exclusively(root + "/lock").ok());
  }
  SECTION("free space is at most all space") {
    auto space = env.space(root).value();
    CHECK(space.total_bytes > 0);
    CHECK(space.free_bytes <= space.total_bytes);
  }
  SECTION("a small file is replaced whole, and read under a limit") {
    replace_file(env, root + "/small", as_bytes("first and longer")).value();
    replace_file(env, root + "/small", as_bytes("second")).value();
    CHECK(as_text(read_whole_file(env, root + "/small", 6).value()) == "second");
    CHECK(read_whole_file(env, root + "/small", 5).error().code == ec::corrupt_data);
    CHECK(read_whole_file(env, root + "/none", 5).error().code == ec::not_found);
    CHECK(env.list_directory(root).value() == std::vector<std::string>{"small"});
    replace_file(env, root + "/small", {}).value();
    CHECK(read_whole_file(env, root + "/small", 5).value().empty());
  }
}

inline void leveldb_contract(storage_env& env, const std::string& root) {
  SECTION("LevelDB's file kinds agree about the bytes") {
    leveldb::WritableFile* raw = nullptr;
    REQUIRE(env.NewWritableFile(root + "/000001.log", &raw).ok());
    std::unique_ptr<leveldb::WritableFile> out{raw};
    std::string large(200'000, 'L');
    REQUIRE(out->Append("head").ok());
    REQUIRE(out->Append(large).ok());
    REQUIRE(out->Append("tail").ok());
    REQUIRE(out->Sync().ok());
    REQUIRE(out->Append("!").ok());
    REQUIRE(out->Close().ok());
    uint64_t size = 0;
    REQUIRE(env.GetFileSize(root + "/000001.log", &size).ok());
    CHECK(size == large.size() + 9);

    leveldb::SequentialFile* sequential = nullptr;
    REQUIRE(env.NewSequentialFile(root + "/000001.log", &sequential).ok());
    std::unique_ptr<leveldb::SequentialFile> in{sequential};
    char scratch[16];
    leveldb::Slice got;
    REQUIRE(in->Read(4, &got, scratch).ok());
    CHECK(got.ToString() == "head");
    REQUIRE(in->Skip(large.size()).ok());
    REQUIRE(in->Read(16, &got, scratch).ok());
    CHECK(got.ToString() == "tail!");
    REQUIRE(in->Skip(100).ok());
    REQUIRE(in->Read(16, &got, scratch).ok());
    CHECK(got.empty());

    leveldb::RandomAccessFile* random = nullptr;
    REQUIRE(env.NewRandomAccessFile(root + "/000001.log", &random).ok());
    std::unique_ptr<leveldb::RandomAccessFile> anywhere{random};
    REQUIRE(anywhere->Read(large.size() + 4, 4, &got, scratch).ok());
    CHECK(got.ToString() == "tail");

    REQUIRE(env.NewAppendableFile(root + "/000001.log", &raw).ok());
    out.reset(raw);
    REQUIRE(out->Append("?").ok());
    out.reset(); // closing writes what is buffered
    REQUIRE(env.GetFileSize(root + "/000001.log", &size).ok());
    CHECK(size == large.size() + 10);
    REQUIRE(env.NewWritableFile(root + "/000001.log", &raw).ok());
    out.reset(raw);
    REQUIRE(env.GetFileSize(root + "/000001.log", &size).ok());
    CHECK(size == 0);
    CHECK(env.NewSequentialFile(root + "/none", &sequential).IsNotFound());
    CHECK(env.NewRandomAccessFile(root + "/none", &random).IsNotFound());
  }
  SECTION("LevelDB's directory calls keep what is not empty") {
    REQUIRE(env.CreateDir(root + "/d").ok());
    env.open_file(root + "/d/x", open_mode::create).value();
    std::vector<std::string> names;
    REQUIRE(env.GetChildren(root + "/d", &names).ok());
    CHECK(names == std::vector<std::string>{"x"});
    CHECK_FALSE(env.RemoveDir(root + "/d").ok());
    REQUIRE(env.RenameFile(root + "/d/x", root + "/x").ok());
    CHECK(env.FileExists(root + "/x"));
    REQUIRE(env.RemoveDir(root + "/d").ok());
    CHECK_FALSE(env.FileExists(root + "/d"));
  }
  SECTION("a LevelDB database lives on it, one opener at a time") {
    leveldb::Options options;
    options.env = &env;
    options.create_if_missing = true;
    options.write_buffer_size = 64 << 10;
    auto open = [&] {
      leveldb::DB* raw = nullptr;
      auto status = leveldb::DB::Open(options, root + "/db", &raw);
      INFO(status.ToString());
      REQUIRE(status.ok());
      env.drain_scheduled();
      return std::unique_ptr<leveldb::DB>{raw};
    };
    auto db = open();
    leveldb::DB* second = nullptr;
    CHECK_FALSE(leveldb::DB::Open(options, root + "/db", &second).ok());
    for (int i = 0; i < 3000; ++i) {
      REQUIRE(db->Put({}, "key" + std::to_string(i), std::string(100, static_cast<char>('a' + i % 26))).ok());
      env.drain_scheduled();
    }
    db.reset();
    db = open();
    std::string value;
    for (int i = 0; i < 3000; ++i) {
      REQUIRE(db->Get({}, "key" + std::to_string(i), &value).ok());
      REQUIRE(value == std::string(100, static_cast<char>('a' + i % 26)));
    }
    env.drain_scheduled();
  }
}

inline void storage_env_contract(storage_env& env, const std::string& root) {
  file_contract(env, root);
  name_contract(env, root);
  leveldb_contract(env, root);
}

} // namespace pessoa::tests
