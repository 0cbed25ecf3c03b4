import { createLogger, ResimError } from '#libs/core';
import { migrate, openDatabase } from './database.js';

/** `npm run migrate`: brings the database named by DATABASE_URL up to date. */
try {
  const source = await openDatabase({ url: process.env.DATABASE_URL ?? '', application: 'resim-migrate' });
  const done = await migrate(source, createLogger('migrate'));
  console.log(done.length === 0 ? 'The database is up to date.' : `Done: ${done.join(', ')}.`);
  await source.destroy();
} catch (error) {
  if (!(error instanceof ResimError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
