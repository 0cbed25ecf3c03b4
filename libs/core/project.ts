import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

function findRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'nest-cli.json'))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error('the project folder (the one with nest-cli.json) was not found');
    folder = parent;
  }
  return folder;
}

/**
 * The project's folder, whether the code runs from `libs/` (tests) or from `dist/libs/` (services).
 * Everything that is read from disk and is not code (recipes, contracts, migrations, the addon) is found from here.
 */
export const projectRoot: string = findRoot();

/** A path inside the project, for example `projectPath('recipes', 'resim-fpn.yaml')`. */
export function projectPath(...parts: string[]): string {
  return join(projectRoot, ...parts);
}
