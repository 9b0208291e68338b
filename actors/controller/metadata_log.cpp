#include "actors/controller/metadata_log.hpp"

#include "schema/wire/metadata_codec.hpp"

namespace pessoa::actors {

partition_key metadata_key() {
  topic_id::bytes_type raw{};
  raw[15] = 1;
  return {topic_id{raw}, partition_id{0}};
}

namespace {

constexpr size_t read_bytes = 1 << 20;

result<void> append_records(byte_view batches, offset from, std::vector<metadata_record>& history) {
  while (!batches.empty()) {
    PESSOA_TRY(auto header, parse_batch_header(batches));
    if (header.size() > batches.size()) return error{ec::corrupt_data, "metadata log: a batch is cut short"};
    PESSOA_TRY(auto reader, batch_reader::open(batches.first(header.size())));
    batches = batches.subspan(header.size());
    for (;;) {
      PESSOA_TRY(auto entry, reader.next());
      if (!entry) break;
      if (entry->at < from) continue;
      if (!entry->record.value) return error{ec::corrupt_data, "metadata log: a record without value"};
      PESSOA_TRY(auto record, wire::decode_metadata(*entry->record.value));
      history.push_back(std::move(record));
    }
  }
  return {};
}

} // namespace

result<metadata_log> open_metadata_log(persistence::storage_env& disk, const std::string& directory,
                                       persistence::commit_service& commits, bool clean_stop,
                                       persistence::recovery_report& report) {
  persistence::log_settings settings; // kept for ever: it is never cut past a snapshot, and there are none yet (C10)
  settings.may_use_reserve = true; // on a full disk topics can be deleted and a node can start (failures S14)
  metadata_log opened;
  auto key = metadata_key();
  PESSOA_TRY(opened.log, persistence::partition_log::open(disk, directory, key, settings, clean_stop,
                                                          commits.recovered(key), report));
  if (report.loss) return error{ec::corrupt_data, "the metadata log has lost data: " + *report.loss};
  for (auto at = opened.log->log_start(); at < opened.log->log_end();) {
    PESSOA_TRY(auto part, opened.log->read(at, opened.log->log_end(), read_bytes));
    PESSOA_CHECK(append_records(part.data, at, opened.history));
    PESSOA_ASSERT(part.next > at, part.next, at);
    at = part.next;
  }
  PESSOA_ASSERT(opened.log->log_start() == offset{0}, opened.log->log_start());
  return opened;
}

persistence::frame_input encode_proposal(const std::vector<metadata_record>& records, offset base, leader_epoch epoch,
                                         timestamp now) {
  PESSOA_ASSERT(!records.empty());
  batch_builder builder;
  for (auto& record : records) {
    auto value = wire::encode_metadata(record);
    record_view view;
    view.time = now;
    view.value = byte_view{value};
    builder.add(view);
  }
  auto batch = builder.finish();
  stamp_batch(batch.data(), base, epoch);
  return {bytes::take(std::move(batch)), now};
}

} // namespace pessoa::actors
