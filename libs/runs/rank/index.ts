/** What a rank process needs, without the service around it: it should start fast and hold nothing but its work. */
export * from './protocol.js';
export * from './rank.js';
export * from './spool.js';
