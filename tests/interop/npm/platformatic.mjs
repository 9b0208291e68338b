// @platformatic/kafka 1.35.0, which knows modern versions only. Arguments: HOST:PORT TOPIC.
// Prints "ok: ..." for each thing shown; the first that does not hold ends it with 1.
//
// Its streams join a group, so reading is its `fetch`, one request at a time. It names topics by id whatever the version:
// where the broker's Fetch ends at 12, the name is given in the id's place. zstd needs Node 22.
// The topic TOPIC-gzip stays: the caller reads it with another client.
import assert from 'node:assert/strict'
import { Admin, Consumer, Producer, stringSerializers } from '@platformatic/kafka'

const [broker, name] = process.argv.slice(2)
const common = { clientId: 'interop', bootstrapBrokers: [broker], retries: 3, retryDelay: 200 }
const ok = what => console.log(`ok: ${what}`)
const lines = Array.from({ length: 1000 }, (_, i) => `${i} a line that compresses well and ends in a carriage return\r`)

const admin = new Admin(common)
const consumer = new Consumer({ ...common, groupId: 'needed-and-not-used' })

async function readAll(topic, partition, fetchOffset = 0n) {
  const metadata = await consumer.metadata({ topics: [topic] })
  const fetchMax = (await consumer.listApis()).find(api => api.name === 'Fetch').maxVersion
  const { id, partitions } = metadata.topics.get(topic)
  const records = []
  for (;;) {
    const wanted = { partition, currentLeaderEpoch: -1, fetchOffset, lastFetchedEpoch: -1, partitionMaxBytes: 1 << 20 }
    const answer = await consumer.fetch({ node: partitions[partition].leader, maxWaitTime: 100, minBytes: 1, maxBytes: 1 << 20,
                                          topics: [{ topicId: fetchMax > 12 ? id : topic, partitions: [wanted] }] })
    const got = answer.responses[0].partitions[0]
    for (const batch of got.records ?? [])
      for (const record of batch.records) {
        const offset = batch.firstOffset + BigInt(record.offsetDelta)
        if (offset < fetchOffset) continue
        records.push({ offset, timestamp: batch.firstTimestamp + record.timestampDelta, key: record.key && record.key.toString(),
                       value: record.value && record.value.toString(), headers: record.headers.map(([k, v]) => [`${k}`, `${v}`]) })
        fetchOffset = offset + 1n
      }
    if (fetchOffset >= got.highWatermark) return records
  }
}

const topic_of = codec => `${name}-${codec}`
const topics = Object.freeze(['gzip', 'lz4', 'none', 'snappy'].map(topic_of)) // the client sorts lists that it is given
const made = await admin.createTopics({ topics: [...topics], partitions: 2, replicas: 1, configs: [{ name: 'retention.ms', value: '3600000' }] })
assert.deepEqual(made.map(t => [t.name, t.partitions, t.replicas]), topics.map(t => [t, 2, 1]))
assert.ok(made.every(t => /^[0-9a-f-]{36}$/.test(t.id) && !/^[0-]+$/.test(t.id)), 'topics have ids')
assert.equal(made[0].configuration['retention.ms'], '3600000')
await assert.rejects(admin.createTopics({ topics: [topics[0]], partitions: 1, replicas: 1 }))
const listed = await admin.listTopics()
assert.ok(topics.every(t => listed.includes(t)))
ok('createTopics with ids and configs, listTopics')

const metadata = await admin.metadata({ topics: [...topics] })
assert.ok([...metadata.brokers.values()].some(b => `${b.host}:${b.port}` === broker))
// Sorted: the client puts the answers' ids beside the names in the order of the request, which is not the answers' order.
assert.deepEqual(topics.map(t => metadata.topics.get(t).id).sort(), made.map(t => t.id).sort())
ok('metadata by name shows the same ids')

const [described] = await admin.describeConfigs({ resources: [{ resourceType: 2, resourceName: topics[0], configurationKeys: null }] })
assert.equal(described.configs.find(c => c.name === 'retention.ms').value, '3600000')
ok('describeConfigs')

for (const topic of topics) {
  const compression = topic.split('-').at(-1)
  const producer = new Producer({ ...common, serializers: stringSerializers })
  const messages = lines.map((value, i) => ({ topic, partition: 0, key: `k${i % 7}`, value, headers: { h: `${i}` }, timestamp: BigInt(1700000000000 + i) }))
  const told = await producer.send({ messages, acks: -1, compression })
  assert.deepEqual(told.offsets, [{ topic, partition: 0, offset: 0n }])
  await producer.close()
  const read = await readAll(topic, 0)
  assert.deepEqual(read, messages.map((m, i) => ({ offset: BigInt(i), timestamp: m.timestamp, key: m.key, value: m.value, headers: [['h', `${i}`]] })))
  assert.equal((await readAll(topic, 0, 990n)).length, 10)
  ok(`${compression}: produced, fetched`)
}

const idempotent = new Producer({ ...common, serializers: stringSerializers, idempotent: true })
for (let i = 0; i < 3; ++i) await idempotent.send({ messages: lines.slice(0, 10).map(value => ({ topic: topic_of('none'), partition: 1, value })) })
await idempotent.close()
assert.equal((await readAll(topic_of('none'), 1)).length, 30)
ok('idempotent producer')

const offsets = async timestamp => (await consumer.listOffsets({ topics: [topic_of('lz4')], timestamp })).get(topic_of('lz4'))
assert.deepEqual([await offsets(-1n), await offsets(-2n)], [[1000n, 0n], [0n, 0n]])
assert.equal((await offsets(1700000000500n))[0], 500n)
ok('listOffsets: end, start, time')

await admin.deleteTopics({ topics: [topic_of('snappy')] })
await assert.rejects(admin.deleteTopics({ topics: [topic_of('snappy')] }))
assert.ok(!(await admin.listTopics()).includes(topic_of('snappy')))
ok('deleteTopics')
await consumer.close(true)
await admin.close()
