// The file functions of the SDK, typed, against a running server.
import {
	createDirectus, createFolder, deleteFile, importFile, readAssetArrayBuffer, readFile, readFiles, rest, staticToken,
	updateFile, uploadFiles,
} from '@directus/sdk';
import { strict as assert } from 'node:assert';

const client = createDirectus(process.env.ACTA_URL!).with(staticToken(process.env.ACTA_TOKEN!)).with(rest());

const folder = await client.request(createFolder({ name: 'SDK' }));
const form = new FormData();
form.append('title', 'From the SDK');
form.append('folder', folder.id);
form.append('file', new Blob(['hello'], { type: 'application/x-thing' }), 'hello.txt');
const made = await client.request(uploadFiles(form));
assert.equal(made.title, 'From the SDK');
assert.equal(made.type, 'application/x-thing');

const bytes = await client.request(readAssetArrayBuffer(made.id));
assert.equal(Buffer.from(bytes).toString(), 'hello');

const again = new FormData();
again.append('file', new Blob(['other'], { type: 'application/x-thing' }), 'other.txt');
const replaced = await client.request(updateFile(made.id, again));
assert.equal(replaced.filename_download, 'other.txt');
const changed = await client.request(updateFile(made.id, { description: 'changed' }));
assert.equal(changed.description, 'changed');

const listed = await client.request(readFiles({ filter: { folder: { _eq: folder.id } }, fields: ['id', 'filesize'] }));
assert.deepEqual(listed, [{ id: made.id, filesize: '5' }]);
await assert.rejects(client.request(importFile('http://127.0.0.1:1/x', {})));
await client.request(deleteFile(made.id));
await assert.rejects(client.request(readFile(made.id)));
console.log('done');
