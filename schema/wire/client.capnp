@0xc1f0a6d3b2e94a57;
# What clients speak. Object capabilities: Bootstrap gives nothing but login; a Session hands out what the caller may do.
#
# Rules of this contract: fields and methods are only added, at the end; no `-> stream` and replies below 8 MiB, so that
# every language's library can speak it; every result carries `error`, null when all went well; batches are opaque Data in
# Kafka's record batch format, never re-encoded. Times are milliseconds since 1970, durations say their unit.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("pessoa::wire");

struct Uuid { high @0 :UInt64; low @1 :UInt64; }     # the 16 bytes, big-endian; both zero: none

struct Error {
  name @0 :Text;        # stable: "not_leader" (docs/errors.md); unknown names are judged by their category
  kafka @1 :Int16;      # Kafka's number
  category @2 :Category;
  message @3 :Text;
  hint @4 :Text;
  enum Category { none @0; retriable @1; refresh @2; unknown @3; request @4; environment @5; fatal @6; }
}

interface Bootstrap {
  login @0 (hello :Hello) -> (session :Session, welcome :Welcome, error :Error);
}

struct Hello {
  protocol @0 :UInt16 = 1;       # the newest version the client knows; the answer names the one in use
  clientId @1 :Text;             # for logs and quotas; at most 249 bytes
  software @2 :Text;             # "pessoa-cpp 0.1.0"
  clusterId @3 :Uuid;            # when given: refuse the login if this node belongs to another cluster
  credentials :union { none @4 :Void; token @5 :Text; }
}

struct Welcome {
  protocol @0 :UInt16;
  clusterId @1 :Uuid;
  nodeId @2 :Int32;
  version @3 :Text;
  messageBytesMax @4 :UInt32;    # of one RPC message after login
  metadataIndex @5 :Int64;
}

interface Session {
  admin @0 () -> (admin :Admin, error :Error);
  producer @1 (idempotent :Bool) -> (producer :Producer, producerId :Int64 = -1, producerEpoch :Int16 = -1, error :Error);
  consumer @2 () -> (consumer :Consumer, error :Error);
  metadata @3 (request :MetadataRequest) -> (metadata :Metadata, error :Error);
}

struct MetadataRequest {
  topics @0 :List(Text);         # these by name ...
  all @1 :Bool;                  # ... or all
  atLeast @2 :Int64 = -1;        # answer only when the node has applied this metadata index
  timeoutMs @3 :UInt32 = 10000;
  create @4 :Bool;               # for who is about to write: named topics that do not exist come into being with the cluster's
                                 # defaults, if the node's setting auto-create permits
}

struct Metadata {
  index @0 :Int64;               # of the newest record in it; a client never goes back to a lower one
  clusterId @1 :Uuid;
  controller @2 :Int32 = -1;
  nodes @3 :List(Node);
  topics @4 :List(Topic);        # asked for by name and unknown: the entry carries `error`
}

struct Node {
  id @0 :Int32;
  rpc @1 :Text;                  # HOST:PORT, empty when there is no such listener
  kafka @2 :Text;
  http @3 :Text;
  peer @4 :Text;
  rack @5 :Text;
  state @6 :Text;                # "up", "down", "fenced"
  voter @7 :Bool;
  leaders @8 :UInt32;
  replicas @9 :UInt32;
}

struct Topic {
  name @0 :Text;
  id @1 :Uuid;
  partitions @2 :List(Partition);
  config @3 :List(Setting);      # every key with its value in force
  wantedReplicas @4 :Int16;
  error @5 :Error;
}

struct Setting { key @0 :Text; value @1 :Text; }

struct Partition {
  index @0 :Int32;
  leader @1 :Int32 = -1;
  epoch @2 :Int32 = -1;
  replicas @3 :List(Int32);
  isr @4 :List(Int32);
}

# A place in a partition that stays meaningful when leaders change. Clients store it whole.
struct Position {
  topic @0 :Uuid;
  partition @1 :Int32;
  lineage @2 :UInt32;            # 0 until partitions can split
  epoch @3 :Int32 = -1;          # leader epoch of the record before, -1: unknown
  offset @4 :Int64;
}

interface Producer {
  # Appends one batch. `batch` is exactly one record batch with base offset 0.
  produce @0 (request :ProduceRequest) -> (result :Produced, error :Error);
  # The plain form: the node builds the batch.
  produceRecords @1 (request :ProduceRecordsRequest) -> (result :Produced, error :Error);
}

struct ProduceRequest {
  topic @0 :Uuid;
  partition @1 :Int32;
  acks @2 :Int8 = -1;            # -1: synced on the in-sync replicas; 1: synced on the leader; 0: answered before anything
  timeoutMs @3 :UInt32 = 30000;
  epoch @4 :Int32 = -1;          # the leader epoch the client knows
  batch @5 :Data;
}

struct ProduceRecordsRequest {
  topic @0 :Uuid;
  partition @1 :Int32;
  acks @2 :Int8 = -1;
  timeoutMs @3 :UInt32 = 30000;
  records @4 :List(Record);
}

struct Record {
  timestamp @0 :Int64 = -1;      # -1: now
  key :union { none @1 :Void; some @2 :Data; }
  value :union { none @3 :Void; some @4 :Data; }
  headers @5 :List(Header);
}
struct Header { key @0 :Text; value :union { none @1 :Void; some @2 :Data; } }

struct Produced {
  baseOffset @0 :Int64 = -1;     # -1 with acks 0
  appendTime @1 :Int64 = -1;
  logStart @2 :Int64 = -1;
  duplicate @3 :Bool;
}

interface Consumer {
  # Long poll: answers with whole batches from the one that contains the position, or empty at the deadline.
  fetch @0 (request :FetchRequest) -> (result :Fetched, error :Error);
  # Where `at` lies now.
  offset @1 (request :OffsetRequest) -> (result :OffsetAnswer, error :Error);
}

struct FetchRequest {
  position @0 :Position;
  bytesMin @1 :UInt32 = 1;
  bytesMax @2 :UInt32 = 1048576;
  waitMs @3 :UInt32 = 500;
}
struct Fetched {
  batches @0 :Data;
  highWatermark @1 :Int64;
  logStart @2 :Int64;
  nextOffset @3 :Int64;          # where to go on
}
struct OffsetRequest {
  topic @0 :Uuid;
  partition @1 :Int32;
  at :union { start @2 :Void; end @3 :Void; time @4 :Int64; }   # end: the high watermark; time: the first record not older
}
struct OffsetAnswer { offset @0 :Int64 = -1; timestamp @1 :Int64 = -1; epoch @2 :Int32 = -1; logEnd @3 :Int64 = -1; }

interface Admin {
  createTopic @0 (request :CreateTopicRequest) -> (topic :Topic, index :Int64, error :Error);
  deleteTopic @1 (name :Text) -> (index :Int64, error :Error);
  alterTopic @2 (request :AlterTopicRequest) -> (topic :Topic, index :Int64, error :Error);
  describeTopic @3 (name :Text) -> (description :TopicDescription, error :Error);
  cluster @4 () -> (info :ClusterInfo, error :Error);
  health @5 () -> (health :Health, error :Error);
  # Removes records below `before` (-1: all below the high watermark). Answers with the new log start.
  deleteRecords @6 (topic :Text, partition :Int32, before :Int64) -> (logStart :Int64, error :Error);
}

struct CreateTopicRequest {
  name @0 :Text;
  partitions @1 :Int32 = -1;     # -1: the cluster's default
  replicas @2 :Int16 = -1;       # -1: min(3, nodes)
  config @3 :List(Setting);
}
struct AlterTopicRequest {
  name @0 :Text;
  partitions @1 :Int32 = -1;     # the new total, -1: as it is
  config @2 :List(Setting);      # an empty value goes back to the default
}
struct TopicDescription {
  topic @0 :Topic;
  partitions @1 :List(PartitionDescription);
}
struct PartitionDescription {
  partition @0 :Partition;
  logStart @1 :Int64 = -1;
  highWatermark @2 :Int64 = -1;
  logEnd @3 :Int64 = -1;
  bytes @4 :UInt64;
  error @5 :Error;
}
struct ClusterInfo { clusterId @0 :Uuid; controller @1 :Int32; nodes @2 :List(Node); }
struct Health {
  healthy @0 :Bool;
  reasons @1 :List(Text);
  nodesDown @2 :List(Int32);
  leaderless @3 :UInt32;
  underReplicated @4 :UInt32;
  belowWanted @5 :UInt32;
}
