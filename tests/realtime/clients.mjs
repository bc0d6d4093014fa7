// The SDK's realtime() and graphql(), and graphql-ws, against a running server.
import assert from 'node:assert/strict';
import { createDirectus, createItem, graphql, realtime, rest, staticToken } from '@directus/sdk';
import { createClient } from 'graphql-ws';

const { ACTA_URL: url, ACTA_TOKEN: token } = process.env;
const socketUrl = url.replace('http', 'ws');

const client = createDirectus(url)
  .with(staticToken(token))
  .with(rest())
  .with(graphql())
  .with(realtime({ url: `${socketUrl}/websocket`, authMode: 'handshake' }));
await client.connect();

const { subscription, unsubscribe } = await client.subscribe('notes', {
  event: 'create', query: { fields: ['title'] }, uid: 'sdk',
});
const heard = [];
const listening = (async () => {
  for await (const frame of subscription) {
    heard.push(frame);
    if (frame.event === 'create') return;
  }
})();

const socket = createClient({ url: `${socketUrl}/graphql`, connectionParams: { access_token: token } });
const results = socket.iterate({ query: 'subscription { notes_mutated { event data { title } } }' });
const first = results.next();
await new Promise((resolve) => setTimeout(resolve, 500));

await client.request(createItem('notes', { title: 'heard' }));
await listening;
assert.deepEqual(heard.at(-1).data, [{ title: 'heard' }]);
const { value } = await first;
assert.deepEqual(value.data.notes_mutated, { event: 'create', data: { title: 'heard' } });
await results.return();
unsubscribe();

const answer = await client.query('query { notes(filter: {title: {_eq: "heard"}}) { title } }');
assert.deepEqual(answer.notes, [{ title: 'heard' }]);
client.disconnect();
await socket.dispose();
console.log('done');
process.exit(0);
