// PostGraphile as its documentation sets it up, with lists and filters as the case needs them.
import { makePgService } from 'postgraphile/adaptors/pg';
import { PostGraphileConnectionFilterPreset } from 'postgraphile-plugin-connection-filter';
import { PostGraphileAmberPreset } from 'postgraphile/presets/amber';

const { DATABASE_URL: connectionString, PORT } = process.env;
export default {
  extends: [PostGraphileAmberPreset, PostGraphileConnectionFilterPreset],
  // Else only what has an index of its own can be filtered by.
  disablePlugins: ['PgIndexBehaviorsPlugin'],
  pgServices: [makePgService({ connectionString, schemas: ['public'] })],
  schema: { defaultBehavior: '+list -connection' },
  grafserv: { host: '127.0.0.1', port: Number(PORT), watch: false, graphqlOverGET: true },
};
