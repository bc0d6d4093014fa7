// Imports and exports of the official SDK against a running server; ends with "done", or with what went wrong.
import assert from 'node:assert/strict';
import {
	createDirectus, deleteItems, readFile, readItems, readNotifications, rest, staticToken, utilsExport, utilsImport,
} from '@directus/sdk';

interface Post { id: number; title: string; views: number | null; extra: 'json' }
interface Schema { posts: Post[] }

const api = createDirectus<Schema>(process.env.ACTA_URL!).with(rest()).with(staticToken(process.env.ACTA_TOKEN!));

async function sent(content: string, name: string, type: string): Promise<void> {
	const form = new FormData();
	form.append('file', new File([content], name, { type }));
	await api.request(utilsImport('posts', form));
}

await sent('title,views,extra\nOne,1,"{""a"":1}"\nTwo,,\n', 'posts.csv', 'text/csv');
await sent(JSON.stringify([{ id: 2, views: 2 }, { title: 'Three' }]), 'posts.json', 'application/json');
const rows = await api.request(readItems('posts', { fields: ['title', 'views', 'extra'], sort: ['id'] }));
assert.deepEqual(rows, [
	{ title: 'One', views: 1, extra: { a: 1 } }, { title: 'Two', views: 2, extra: null },
	{ title: 'Three', views: null, extra: null },
]);
const failure = await sent('title,views\nx,y\n', 'posts.csv', 'text/csv').catch((error: unknown) => error);
assert.ok(failure);

async function exported(): Promise<string> {
	for (let left = 200; left > 0; left--) {
		const found = await api.request(readNotifications({ limit: 1, sort: ['-id'] }));
		if (found[0]) {
			assert.equal(found[0].subject, 'Your export of posts is ready');
			assert.equal(found[0].collection, 'directus_files');
			return String(found[0].item);
		}
		await new Promise((resolve) => setTimeout(resolve, 50));
	}
	throw new Error('no notification');
}

const query = { fields: ['id', 'title', 'extra'], filter: { views: { _nnull: true } }, sort: ['-title'] } as const;
await api.request(utilsExport('posts', 'json', query as never, { title: 'Posts' }));
const key = await exported();
const record = await api.request(readFile(key, { fields: ['title', 'type', 'filename_download'] }));
assert.equal(record.title, 'Posts');
assert.equal(record.type, 'application/json');
assert.match(record.filename_download, /^export-posts-\d{8}-\d{6}\.json$/);
// Not with the SDK, which parses every answer that is JSON, files included.
const asset = await fetch(`${process.env.ACTA_URL}/assets/${key}?access_token=${process.env.ACTA_TOKEN}`);
const content = await asset.text();
assert.deepEqual(JSON.parse(content).map((row: Post) => row.title), ['Two', 'One']);

// What was exported can be imported.
await api.request(deleteItems('posts', { filter: { views: { _nnull: true } } }));
await sent(content, 'posts.json', 'application/json');
const again = await api.request(readItems('posts', { fields: ['id', 'title', 'extra'], sort: ['id'] }));
assert.deepEqual(again.map((row) => [row.id, row.title]), [[1, 'One'], [2, 'Two'], [3, 'Three']]);
assert.deepEqual(again[0]!.extra, { a: 1 });
console.log('done');
