import { Runs1764000000000 } from './1764000000000-runs.js';

/** Every migration, oldest first. */
export const migrations = [Runs1764000000000];
