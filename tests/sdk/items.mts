// The typed items client of the official SDK against a running server; ends with "done", or with what went wrong.
import assert from 'node:assert/strict';
import {
	aggregate, authentication, createDirectus, createItem, createItems, deleteItem, deleteItems, isDirectusError,
	readItem, readItems, readSingleton, rest, staticToken, updateItem, updateItems, updateItemsBatch, updateSingleton,
	withOptions, withSearch,
} from '@directus/sdk';

interface Author { id: number; name: string; born: string | null; posts: Post[] | number[] }
interface Comment { id: number; post: Post | number | null; body: string; likes: number }
interface Tag { id: string; label: string | null }
interface PostTag { id: number; post: Post | number | null; tag: Tag | string | null }
interface Post {
	id: number; title: string; status: 'draft' | 'published'; views: string; price: string | null;
	published: 'datetime'; extra: 'json'; author: Author | number | null; comments: Comment[] | number[];
	tags: PostTag[] | number[];
}
interface Page { id: number; headline: string }
interface Schema {
	authors: Author[]; posts: Post[]; comments: Comment[]; tags: Tag[]; posts_tags: PostTag[]; page: Page;
}

const url = process.env.ACTA_URL!;
const api = createDirectus<Schema>(url).with(rest()).with(staticToken(process.env.ACTA_TOKEN!));

// Create: one and many, nested through every kind of relation.
const ann = await api.request(createItem('authors', { name: 'Ann', born: '1980-02-03' }));
const first = await api.request(createItem('posts', {
	title: 'First', status: 'published', views: '9007199254740993', price: '12.5', author: ann.id,
	published: '2024-02-03T04:05:06Z', extra: { color: 'red', sizes: [1, 2] },
	comments: [{ body: 'good', likes: 3 }, { body: 'bad', likes: 1 }],
	tags: [{ tag: { id: 'red', label: 'Red' } }],
} as never));
assert.equal(first.views, '9007199254740993');
assert.equal(first.price, '12.50');
assert.equal(first.published, '2024-02-03T04:05:06.000Z');
assert.deepEqual(first.extra, { color: 'red', sizes: [1, 2] });
const more = await api.request(createItems('posts', [
	{ title: 'Second', status: 'draft', author: { name: 'Bob' } },
	{ title: 'Third', status: 'published', author: ann.id, comments: { create: [{ body: 'so so', likes: 2 }], update: [], delete: [] } },
] as never));
assert.equal(more.length, 2);

// Read: nested fields, deep, filter, sort, alias.
const nested = await api.request(readItems('posts', {
	fields: ['title', { author: ['name'], comments: ['body', 'likes'], tags: [{ tag: ['label'] }] }],
	filter: { _and: [{ author: { name: { _eq: 'Ann' } } }, { comments: { _some: { likes: { _gt: 2 } } } }] },
	deep: { comments: { _sort: ['-likes'], _limit: 1 } },
	sort: ['-title'],
}));
const author = nested[0]?.author;
const named: string | undefined = author && typeof author === 'object' ? author.name : undefined;
assert.equal(named, 'Ann');
assert.deepEqual(nested, [{
	title: 'First', author: { name: 'Ann' }, comments: [{ body: 'good', likes: 3 }], tags: [{ tag: { label: 'Red' } }],
}]);
const aliased = await api.request(readItems('authors', {
	fields: ['name', { posts: ['title'] }], alias: { works: 'posts' }, filter: { posts: { _none: { status: { _eq: 'draft' } } } },
	limit: 1, sort: ['id'],
}));
assert.equal(aliased[0]?.name, 'Ann');
const one = await api.request(readItem('posts', first.id, { fields: ['*', { author: ['*'] }] }));
assert.ok(typeof one.author === 'object' && one.author?.born === '1980-02-03');
const searched = await api.request(withSearch(readItems('posts', { search: 'second', fields: ['title'] })));
assert.deepEqual(searched, [{ title: 'Second' }]);

// Aggregates.
const counted = await api.request(aggregate('posts', { aggregate: { count: '*' }, groupBy: ['status'] }));
assert.deepEqual(counted, [{ status: 'draft', count: '1' }, { status: 'published', count: '2' }]);
const summed = await api.request(aggregate('comments', { aggregate: { sum: 'likes', avg: 'likes' } }));
assert.deepEqual(summed, [{ sum: { likes: '6' }, avg: { likes: '2.0000000000000000' } }]);

// Update: one, the same to many by keys and by query, a change of its own to each.
const updated = await api.request(updateItem('posts', first.id, { title: 'First, changed' }, { fields: ['title'] }));
assert.deepEqual(updated, { title: 'First, changed' });
const both = await api.request(updateItems('posts', more.map((post) => post.id), { status: 'published' }));
assert.deepEqual(both.map((post) => post.status), ['published', 'published']);
const batch = await api.request(updateItemsBatch('posts', more.map((post, place) => ({ id: post.id, title: `No ${place}` }))));
assert.deepEqual(batch.map((post) => post.title), ['No 0', 'No 1']);

// Singletons.
await api.request(updateSingleton('page', { headline: 'Hello' }));
assert.equal((await api.request(readSingleton('page'))).headline, 'Hello');

// Delete: one, many by keys, many by query.
await api.request(deleteItem('posts', first.id));
await api.request(deleteItems('posts', [more[0]!.id]));
await api.request(deleteItems('posts', { filter: { title: { _starts_with: 'No' } } }));
assert.deepEqual(await api.request(readItems('posts')), []);
assert.deepEqual((await api.request(readItems('comments', { fields: ['post'] }))).map((comment) => comment.post), []);

// Errors are those that the SDK knows.
const failure = await api.request(readItem('posts', 999)).catch((error: unknown) => error);
assert.ok(isDirectusError(failure));
assert.equal(failure.errors[0]?.extensions.code, 'FORBIDDEN');
const invalid = await api.request(readItems('posts', { filter: { title: { _lt: 'x' } } } as never)).catch((error: unknown) => error);
assert.ok(isDirectusError(invalid));
assert.equal(invalid.errors[0]?.extensions.code, 'INVALID_QUERY');

// Signing in, and a header of our own through the SDK.
const user = createDirectus<Schema>(url).with(authentication('json')).with(rest());
await user.login({ email: process.env.ACTA_EMAIL!, password: process.env.ACTA_PASSWORD! });
const keyed = (sent: RequestInit) => ({ ...sent, headers: { ...sent.headers, 'Idempotency-Key': 'from the SDK' } });
const once = [];
for (const _ of [1, 2]) once.push(await user.request(withOptions(createItem('authors', { name: 'Once' }), keyed)));
assert.equal(once[0]!.id, once[1]!.id);
await user.logout();
console.log('done');
