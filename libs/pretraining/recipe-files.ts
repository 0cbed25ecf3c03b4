import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseDocument } from 'yaml';
import { invalid, projectPath, ResimError, show } from '#libs/core';
import { compileRecipe, type ResolvedRecipe } from './recipe.js';

const folder = projectPath('recipes');

/** Names of the recipes that come with the suite, sorted. */
export function recipeNames(): string[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => basename(file, '.yaml'))
    .sort();
}

/** Every recipe that comes with the suite, resolved. */
export function listRecipes(): ResolvedRecipe[] {
  return recipeNames().map((name) => loadRecipe(name));
}

/** The text of a recipe by its name, or of a file by its path. */
export function recipeText(nameOrPath: string): string {
  const isPath = /[/\\]|\.ya?ml$/.test(nameOrPath);
  try {
    if (isPath) return readFileSync(nameOrPath, 'utf8');
  } catch (cause) {
    throw new ResimError('NOT_FOUND', `there is no recipe file ${nameOrPath}`, {
      reason: 'RECIPE_NOT_FOUND',
      cause,
    });
  }
  const names = recipeNames();
  if (!names.includes(nameOrPath))
    throw new ResimError(
      'NOT_FOUND',
      `there is no recipe ${show(nameOrPath)}; there are ${names.join(', ')}`,
      {
        reason: 'RECIPE_NOT_FOUND',
        violations: [{ field: 'recipe', value: nameOrPath, expected: `one of ${names.join(', ')}` }],
      },
    );
  return readFileSync(join(folder, `${nameOrPath}.yaml`), 'utf8');
}

function parseYaml(text: string): unknown {
  const document = parseDocument(text);
  // A warning is a tag that nobody knows: plain data has none.
  const [problem] = [...document.errors, ...document.warnings];
  try {
    if (problem) throw problem;
    return document.toJS({ maxAliasCount: 20 });
  } catch (cause) {
    const line = problem?.linePos?.[0].line;
    throw new ResimError(
      'INVALID_ARGUMENT',
      `the recipe is not valid YAML${line ? ` (line ${line})` : ''}: ${(cause as Error).message.split('\n')[0]}`,
      { reason: 'RECIPE_NOT_YAML', cause },
    );
  }
}

/** Puts `optim.lr=0.06` into the raw recipe; the value is read as YAML. */
function applyOverride(raw: unknown, override: string): void {
  const [, path, value] = /^([A-Za-z0-9_.]+)=(.*)$/s.exec(override) ?? [];
  if (path === undefined || value === undefined)
    throw invalid('overrides', override, 'of the form key=value, such as optim.lr=0.06');
  const keys = path.split('.');
  let target = raw as Record<string, unknown>;
  for (const key of keys.slice(0, -1)) {
    // An inherited name such as __proto__ must never be walked into.
    if (!Object.hasOwn(target, key))
      Object.defineProperty(target, key, { value: {}, writable: true, enumerable: true, configurable: true });
    const next = target[key];
    if (next === null || typeof next !== 'object')
      throw invalid('overrides', override, `a key that exists: ${key} is not a group`);
    target = next as Record<string, unknown>;
  }
  Object.defineProperty(target, keys.at(-1)!, {
    value: parseYaml(value),
    writable: true,
    enumerable: true,
    configurable: true,
  });
}

/**
 * Resolves a recipe from the suite or from text, with changes.
 * @throws ResimError NOT_FOUND for an unknown name; INVALID_ARGUMENT naming each wrong key and what would be right
 */
export function resolveRecipe({
  recipe,
  yaml,
  overrides,
}: {
  recipe?: string;
  yaml?: string;
  overrides: readonly string[];
}): ResolvedRecipe {
  if (Boolean(recipe) === Boolean(yaml))
    throw invalid('recipe', recipe, 'given, or else `recipe_yaml`, and not both');
  // A name from outside must not become a path.
  if (recipe && /[/\\]/.test(recipe)) throw invalid('recipe', recipe, `one of ${recipeNames().join(', ')}`);
  const raw = parseYaml(yaml || recipeText(recipe!));
  if (raw !== null && typeof raw === 'object') for (const override of overrides) applyOverride(raw, override);
  return compileRecipe(raw);
}

/** A recipe of the suite by name, or a file by path, resolved. @throws as `resolveRecipe` */
export function loadRecipe(nameOrPath: string, overrides: readonly string[] = []): ResolvedRecipe {
  return resolveRecipe({ yaml: recipeText(nameOrPath), overrides });
}
