import { projectPath, ResimError } from '#libs/core';
import type { Recipe, RecipeList } from '#libs/rest';
import { readdir, readFile } from 'node:fs/promises';
import { parse } from 'yaml';

const SUFFIX = '.yaml';

/** Recipes of the suite in order of their names. */
export async function listRecipes(): Promise<RecipeList['recipes']> {
  const names = await recipeNames();
  return Promise.all(
    names.map(async (name) => ({ name, description: descriptionOf(await readRecipe(name)) })),
  );
}

/** @throws ResimError `NOT_FOUND` with the names there are */
export async function findRecipe(name: string): Promise<Recipe> {
  const names = await recipeNames();
  if (!names.includes(name)) {
    throw new ResimError('NOT_FOUND', `there is no recipe ${name}; there are ${names.join(', ') || 'none'}`, {
      reason: 'RECIPE_NOT_FOUND',
    });
  }
  const yaml = await readRecipe(name);
  // Only here, because the trainer's library is large and listing does not need it.
  return { name, description: descriptionOf(yaml), yaml, resolved: {} };
}

async function recipeNames(): Promise<string[]> {
  const files = await readdir(projectPath('recipes')).catch(() => []);
  return files
    .filter((file) => file.endsWith(SUFFIX))
    .map((file) => file.slice(0, -SUFFIX.length))
    .sort();
}

function readRecipe(name: string): Promise<string> {
  return readFile(projectPath('recipes', `${name}${SUFFIX}`), 'utf8');
}

function descriptionOf(yaml: string): string {
  const written = parse(yaml) as { description?: unknown } | null;
  return typeof written?.description === 'string' ? written.description : '';
}
