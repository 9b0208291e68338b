// kafkajs 2.2.4: administration, producing with each codec it has, reading without a group. Arguments: HOST:PORT TOPIC.
// Prints "ok: ..." for each thing shown; the first that does not hold ends it with 1.
//
// Its public consumer needs a group, so reading goes one level down, to the cluster and brokers its consumer is made of.
// The topic TOPIC-gzip stays, with what `expected` says in it: the caller reads it with another client.
const assert = require('node:assert/strict')
const { Kafka, CompressionTypes, CompressionCodecs, ConfigResourceTypes, logLevel } = require('kafkajs')
CompressionCodecs[CompressionTypes.Snappy] = require('kafkajs-snappy')

const [broker, name] = process.argv.slice(2)
const kafka = new Kafka({ brokers: [broker], clientId: 'interop', logLevel: logLevel.NOTHING, retry: { retries: 3 } })
const ok = what => console.log(`ok: ${what}`)
const lines = Array.from({ length: 1000 }, (_, i) => `${i} a line that compresses well and ends in a carriage return\r`)

async function readAll(topic, partitions, from = 0n) {
  const make = Object.getOwnPropertySymbols(kafka).find(s => String(s).includes('createCluster'))
  const cluster = kafka[make]({ metadataMaxAge: 300000 })
  await cluster.connect()
  await cluster.addTargetTopic(topic)
  const all = []
  for (const partition of partitions) {
    const leader = Object.keys(cluster.findLeaderForPartitions(topic, [partition]))[0]
    const node = await cluster.findBroker({ nodeId: leader })
    for (let offset = from; ;) {
      const wanted = { partition, currentLeaderEpoch: -1, fetchOffset: offset.toString(), maxBytes: 1 << 20 }
      const { responses } = await node.fetch({ maxWaitTime: 100, isolationLevel: 1, topics: [{ topic, partitions: [wanted] }] })
      const { messages, highWatermark } = responses[0].partitions[0]
      const fresh = messages.filter(m => BigInt(m.offset) >= offset)
      all.push(...fresh)
      if (fresh.length > 0) offset = BigInt(fresh.at(-1).offset) + 1n
      if (offset >= BigInt(highWatermark)) break
    }
  }
  await cluster.disconnect()
  return all
}

async function main() {
  const admin = kafka.admin()
  await admin.connect()

  const described = await admin.describeCluster()
  assert.ok(described.brokers.some(b => `${b.host}:${b.port}` === broker) && described.clusterId)
  ok('describeCluster')

  const codecs = { none: CompressionTypes.None, gzip: CompressionTypes.GZIP, snappy: CompressionTypes.Snappy }
  const topics = Object.keys(codecs).map(codec => `${name}-${codec}`)
  const entries = [{ name: 'retention.ms', value: '3600000' }]
  assert.equal(await admin.createTopics({ waitForLeaders: true, topics: topics.map(topic => ({ topic, numPartitions: 2, configEntries: entries })) }), true)
  assert.equal(await admin.createTopics({ topics: [{ topic: topics[0] }] }), false, 'created twice')
  for (const topic of topics) assert.ok((await admin.listTopics()).includes(topic))
  await assert.rejects(admin.createTopics({ topics: [{ topic: 'no/name' }] }), /topic/i)
  ok('createTopics, listTopics, and their refusals')

  const configs = await admin.describeConfigs({ includeSynonyms: false, resources: [{ type: ConfigResourceTypes.TOPIC, name: topics[0] }] })
  assert.equal(configs.resources[0].configEntries.find(e => e.configName === 'retention.ms').configValue, '3600000')
  ok('describeConfigs')

  for (const [codec, compression] of Object.entries(codecs)) {
    const topic = `${name}-${codec}`
    const producer = kafka.producer()
    await producer.connect()
    const expected = lines.map((value, i) => ({ key: i % 3 ? `k${i % 7}` : null, value, partition: 0, headers: { h: `${i}` }, timestamp: `${1700000000000 + i}` }))
    expected.push({ key: 'tombstone', value: null, partition: 0, headers: {}, timestamp: '1700000001000' })
    await producer.send({ topic, acks: -1, compression, messages: expected })
    await producer.disconnect()
    const read = await readAll(topic, [0, 1])
    const text = b => (b === null ? null : b.toString())
    assert.deepEqual(read.map(m => [text(m.key), text(m.value), m.headers.h && text(m.headers.h), m.timestamp]),
                     expected.map(m => [m.key, m.value, m.headers.h, m.timestamp]))
    assert.equal((await readAll(topic, [0], 990n)).length, 11)
    ok(`${codec}: produced, fetched`)
  }

  const idempotent = kafka.producer({ idempotent: true, maxInFlightRequests: 1 })
  await idempotent.connect()
  for (let i = 0; i < 3; ++i) await idempotent.send({ topic: topics[0], messages: lines.slice(0, 10).map(value => ({ value, partition: 1 })) })
  await idempotent.disconnect()
  assert.equal((await readAll(topics[0], [1])).length, 30)
  ok('idempotent producer')

  const offsets = await admin.fetchTopicOffsets(topics[1])
  assert.deepEqual(offsets.map(o => [o.partition, o.low, o.high]).sort(), [[0, '0', '1001'], [1, '0', '0']])
  const at = await admin.fetchTopicOffsetsByTimestamp(topics[1], 1700000000500)
  assert.equal(at.find(o => o.partition === 0).offset, '500')
  ok('fetchTopicOffsets, by timestamp')

  await admin.deleteTopics({ topics: [topics[2]] })
  await assert.rejects(admin.deleteTopics({ topics: [topics[2]] }))
  assert.ok(!(await admin.listTopics()).includes(topics[2]))
  ok('deleteTopics')
  await admin.disconnect()
}

main().catch(e => { console.error(e); process.exit(1) })
