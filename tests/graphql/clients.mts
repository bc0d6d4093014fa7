// urql and Apollo Client with generated types, and the introspection that GraphiQL sends.
import assert from 'node:assert/strict';
import { ApolloClient, HttpLink, InMemoryCache } from '@apollo/client/core';
import { Client, cacheExchange, fetchExchange } from '@urql/core';
import { buildClientSchema, getIntrospectionQuery, isObjectType, printSchema } from 'graphql';
import { CreateDocument, DeleteDocument, ListDocument, OneDocument, type create_posts_input } from './items.js';
import type { Query } from './schema.js';
import type { Query as System } from './system.js';

const { ACTA_URL: url, ACTA_TOKEN: token } = process.env;
const headers = { Authorization: `Bearer ${token}` };

// urql: a cache by type names, queries by GET or POST.
for (const preferGetMethod of [false, true] as const) {
  const client = new Client({
    url: `${url}/graphql`, exchanges: [cacheExchange, fetchExchange], preferGetMethod, fetchOptions: { headers },
  });
  const { data, error } = await client.query(ListDocument, {
    filter: { author: { name: { _eq: 'Ann' } } }, sort: ['id'],
  }).toPromise();
  assert.equal(error, undefined);
  assert.ok(data);
  const titles: string[] = data.posts.map((post) => post.title);
  assert.deepEqual(titles, ['One', 'Two']);
  assert.equal(data.posts[0].hits, '9007199254740993');
  assert.equal(data.posts[0].published_func?.year, 2024);
  assert.deepEqual(data.posts[0].comments?.map((comment) => comment?.body), ['first', 'second']);
  assert.equal(data.posts[0].__typename, 'posts');
  assert.equal(data.posts_aggregated.length, 2);
  const failed = await client.query(OneDocument, { id: '99' }).toPromise();
  assert.equal(failed.error?.graphQLErrors[0].extensions.code, 'FORBIDDEN');
  assert.equal(failed.data?.posts_by_id, null);
}

// Apollo Client: normalised by type and id, what a mutation answers changes what a query has read.
const apollo = new ApolloClient({
  cache: new InMemoryCache(), link: new HttpLink({ uri: `${url}/graphql`, headers }),
});
const payload: create_posts_input = { title: 'New', hits: '5', comments: [{ body: 'c' }] };
const created = await apollo.mutate({ mutation: CreateDocument, variables: { data: payload } });
const id = created.data?.create_posts_item?.id;
assert.ok(id);
const one = await apollo.query({ query: OneDocument, variables: { id } });
assert.equal(one.data?.posts_by_id?.title, 'New');
assert.ok((apollo.cache.extract() as Record<string, unknown>)[`posts:${id}`]);
const deleted = await apollo.mutate({ mutation: DeleteDocument, variables: { id } });
assert.deepEqual(deleted.data?.delete_posts_item?.id, id);

// GraphiQL: descriptions and deprecated inputs included.
for (const path of ['/graphql', '/graphql/system']) {
  const query = getIntrospectionQuery({
    descriptions: true, specifiedByUrl: true, directiveIsRepeatable: true, schemaDescription: true,
    inputValueDeprecation: true,
  });
  const answer = await fetch(url + path, {
    method: 'POST',
    headers: { ...headers, 'Content-Type': 'application/json', Accept: 'application/json, multipart/mixed' },
    body: JSON.stringify({ query, operationName: 'IntrospectionQuery', variables: {} }),
  });
  const { data } = await answer.json() as any;
  const schema = buildClientSchema(data);
  assert.ok(isObjectType(schema.getType('directus_users')));
  assert.ok(printSchema(schema).length > 10_000);
}
// The types of whole schemas hold together, too.
const empty: Pick<Query, 'posts'> = { posts: [] };
assert.equal(empty.posts.length, 0);
const info: Pick<NonNullable<System['server_info']>, 'rateLimit'> = { rateLimit: false };
assert.equal(info.rateLimit, false);
console.log('done');
