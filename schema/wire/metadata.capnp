@0xb3c714a91363f2e6;
# The records of the metadata log, as they lie on disk (one message per record value) and later travel between nodes.
# Fields are only added, at the end; a reader that meets an unknown union tag stops (it must not skip a decision).

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("pessoa::wire");

using Client = import "client.capnp";

struct MetadataRecord {
  version @0 :UInt16 = 1;
  union {
    clusterCreated @1 :ClusterCreated;
    nodeRegistered @2 :NodeRegistered;
    topicCreated @3 :TopicCreated;
    topicDeleted @4 :TopicDeleted;
    topicConfigChanged @5 :TopicConfigChanged;
    partitionsAdded @6 :PartitionsAdded;
    partitionChanged @7 :PartitionChanged;
    producerIdsAllocated @8 :ProducerIdsAllocated;
    featureLevelRaised @9 :FeatureLevelRaised;
  }
}

struct ClusterCreated { id @0 :Client.Uuid; name @1 :Text; }
struct NodeRegistered {
  node @0 :Int32;
  directory @1 :Client.Uuid;
  rpc @2 :Text;
  peer @3 :Text;
  kafka @4 :Text;
  http @5 :Text;
  rack @6 :Text;
  version @7 :Text;
}
struct Assignment { replicas @0 :List(Int32); }
struct TopicCreated {
  topic @0 :Client.Uuid;
  name @1 :Text;
  wantedReplicas @2 :Int16;
  config @3 :List(Client.Setting);
  partitions @4 :List(Assignment);
}
struct TopicDeleted { topic @0 :Client.Uuid; }
struct TopicConfigChanged { topic @0 :Client.Uuid; config @1 :List(Client.Setting); }
struct PartitionsAdded { topic @0 :Client.Uuid; added @1 :List(Assignment); }
struct PartitionChanged {
  topic @0 :Client.Uuid;
  partition @1 :Int32;
  leader @2 :Int32 = -1;
  epoch @3 :Int32;
  replicas @4 :List(Int32);
  isr @5 :List(Int32);
}
struct ProducerIdsAllocated { node @0 :Int32; next @1 :Int64; }
struct FeatureLevelRaised { level @0 :Int32; }
