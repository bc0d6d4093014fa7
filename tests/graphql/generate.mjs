// TypeScript of the schema and of some documents, made by GraphQL Code Generator.
import { writeFileSync } from 'node:fs';
import { generate } from '@graphql-codegen/cli';

const { ACTA_URL: url, ACTA_TOKEN: token } = process.env;
const here = import.meta.dirname;
const headers = { Authorization: `Bearer ${token}` };

writeFileSync(`${here}/documents.graphql`, `
  fragment Card on posts { id title hits price published published_func { year } tags author { name } }
  query List($filter: posts_filter, $sort: [String], $deep: Boolean = true) {
    posts(filter: $filter, sort: $sort, limit: 2) { ...Card comments(sort: "id") @include(if: $deep) { id body } }
    posts_aggregated(groupBy: ["author"]) { group countAll sum { price } }
  }
  query One($id: ID!) { posts_by_id(id: $id) { ...Card } }
  mutation Create($data: create_posts_input!) { create_posts_item(data: $data) { ...Card } }
  mutation Delete($id: ID!) { delete_posts_item(id: $id) { id } }
  subscription Heard { posts_mutated(event: create) { key event data { title } } }
`);
const scalars = { GraphQLBigInt: 'string', Date: 'string', JSON: 'any', Hash: 'string' };
const config = { namingConvention: 'keep', useTypeImports: true, nonOptionalTypename: true, scalars };
const at = (path) => [{ [url + path]: { headers } }];
await generate({
  cwd: here, silent: true, schema: at('/graphql'), documents: 'documents.graphql',
  generates: {
    'items.ts': { plugins: ['typescript-operations', 'typed-document-node'], config },
    'schema.ts': { plugins: ['typescript'], config },
  },
}, true);
await generate({
  cwd: here, silent: true, schema: at('/graphql/system'),
  generates: { 'system.ts': { plugins: ['typescript'], config } },
}, true);
