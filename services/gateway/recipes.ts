import type { Recipe, RecipeList } from '#libs/rest';

/**
 * Recipes of the suite. The library is loaded when it is first asked: it brings the whole trainer, which a gateway
 * has no other use for.
 */
const library = () => import('#libs/pretraining');

/** In order of their names. */
export async function listRecipes(): Promise<RecipeList['recipes']> {
  const { listRecipes } = await library();
  return listRecipes().map(({ name, summary }) => ({ name, summary }));
}

/** @throws ResimError `NOT_FOUND` with the names there are */
export async function findRecipe(name: string): Promise<Recipe> {
  const { loadRecipe, recipeText } = await library();
  const resolved = loadRecipe(name);
  return { name: resolved.name, summary: resolved.summary, yaml: recipeText(name), resolved };
}
