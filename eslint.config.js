import js from '@eslint/js';
import { readFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import tseslint from 'typescript-eslint';

const root = import.meta.dirname;

/** Folders from top to bottom: a file may import from its own folder and from those below it. */
const house = [
  ['test', 'bench', 'scripts'],
  ['services'],
  ['cli'],
  ['libs/runs'],
  ['libs/experiments'],
  ['migrations'],
  ['libs/rpc'],
  ['libs/rest'],
  ['libs/pretraining'],
  ['libs/detection'],
  ['libs/onnx'],
  ['libs/nn'],
  ['libs/pairing'],
  ['libs/datasets'],
  ['libs/metrics'],
  ['libs/tensor'],
  ['libs/geometry'],
  ['libs/postgres'],
  ['libs/core'],
];
const floorOf = new Map(house.flatMap((folders, floor) => folders.map((folder) => [folder, floor])));

function placeOf(file) {
  const [first, second] = relative(root, file).split('/');
  if (first === 'libs') return { folder: `libs/${second}`, floor: floorOf.get(`libs/${second}`) };
  return { folder: first === 'services' ? `services/${second}` : first, floor: floorOf.get(first) };
}

const importsGoDown = {
  meta: {
    type: 'problem',
    schema: [],
    messages: {
      up: '{{from}} may not import {{to}}: imports go down the list of folders, never up (docs/architecture.md).',
      service: '{{from}} may not import {{to}}: services talk through their contracts.',
      inside: 'Inside {{from}} imports are relative.',
      unknown: '{{to}} has no place in the list of folders yet: give it one in eslint.config.js.',
    },
  },
  create(context) {
    const own = placeOf(context.filename);
    function check(node) {
      const source = node.source?.value;
      if (typeof source !== 'string') return;
      const inLibs = /^#libs\/(.+)$/.exec(source);
      if (!inLibs && !source.startsWith('.')) return;
      const file = inLibs ? resolve(root, 'libs', inLibs[1]) : resolve(dirname(context.filename), source);
      const target = placeOf(file);
      const data = { from: own.folder, to: target.folder };
      const report = (messageId) => context.report({ node, messageId, data });
      // A service's entry, the launcher and the tests stand at the top and may see everything.
      if (target.folder === own.folder) {
        if (inLibs && !context.filename.endsWith('.test.ts')) report('inside');
      } else if (target.floor === undefined) {
        if (!/\.(json|js)$/.test(source) || inLibs) report('unknown');
      } else if (own.floor === undefined) {
        return;
      } else if (own.folder.startsWith('services/') && target.folder.startsWith('services/')) {
        report('service');
      } else if (target.floor < own.floor) {
        // A library's test may use what the whole project's tests share.
        if (!(context.filename.endsWith('.test.ts') && target.folder === 'test')) report('up');
      }
    }
    return {
      ImportDeclaration: check,
      ExportNamedDeclaration: check,
      ExportAllDeclaration: check,
      ImportExpression: check,
    };
  },
};

/** The file of ours that an import leads to; undefined for a package. */
function fileOf(source, importer) {
  const inLibs = /^#libs\/(.+)$/.exec(source);
  if (inLibs) return resolve(root, 'libs', inLibs[1], 'index.ts');
  return source.startsWith('.') ? resolve(dirname(importer), source.replace(/\.js$/, '.ts')) : undefined;
}

/** Imports of a file that are there at run time, read once a lint run. */
const importsOf = new Map();
function runtimeImports(file) {
  let files = importsOf.get(file);
  if (files) return files;
  files = [];
  importsOf.set(file, files);
  let text;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return files;
  }
  for (const [, names, source] of text.matchAll(
    /^(?:import|export)\s+(?!type\b)([^;]*?)\s?from\s+'([^']+)'/gm,
  )) {
    const inBraces = /^\{([^}]*)\}$/.exec(names.trim())?.[1];
    const onlyTypes = inBraces?.split(',').every((name) => /^\s*(type\s.*)?$/.test(name));
    const target = onlyTypes ? undefined : fileOf(source, file);
    if (target) files.push(target);
  }
  return files;
}

/** Files from the first to the last through imports; undefined when there is no way. */
function wayBetween(from, to) {
  const cameFrom = new Map([[from, undefined]]);
  for (const file of cameFrom.keys()) {
    if (file === to) {
      const way = [];
      for (let at = to; at; at = cameFrom.get(at)) way.unshift(relative(root, at));
      return way;
    }
    for (const next of runtimeImports(file)) if (!cameFrom.has(next)) cameFrom.set(next, file);
  }
  return undefined;
}

const noCycle = {
  meta: { type: 'problem', schema: [], messages: { cycle: 'This import leads back here: {{way}}.' } },
  create(context) {
    function check(node) {
      const source = node.source?.value;
      const target = typeof source === 'string' ? fileOf(source, context.filename) : undefined;
      if (!target || !runtimeImports(context.filename).includes(target)) return;
      const way = wayBetween(target, context.filename);
      if (way) context.report({ node, messageId: 'cycle', data: { way: way.join(' -> ') } });
    }
    return { ImportDeclaration: check, ExportNamedDeclaration: check, ExportAllDeclaration: check };
  },
};

const noRandom = {
  'no-restricted-properties': [
    'error',
    {
      object: 'Math',
      property: 'random',
      message: 'Randomness is counter-based and keyed: libs/core/random.ts.',
    },
  ],
};

export default tseslint.config(
  {
    ignores: ['dist/', 'build/', 'node_modules/', '.resim/', 'coverage/', '**/generated/', 'test/fixtures/'],
  },
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommended],
    plugins: { house: { rules: { 'imports-go-down': importsGoDown, 'no-cycle': noCycle } } },
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: root } },
    rules: {
      ...noRandom,
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/only-throw-error': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/consistent-type-imports': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      'house/no-cycle': 'error',
      'house/imports-go-down': 'error',
      // The compiler knows better, and this one does not see what decorators use.
      'no-undef': 'off',
      'no-useless-assignment': 'off',
    },
  },
  {
    files: ['services/**/*.ts'],
    rules: {
      'no-restricted-syntax': [
        'error',
        {
          selector: 'FunctionExpression > TSTypeAnnotation TSTypeReference[typeName.name="Observable"]',
          message: 'A stream of an Observable has no backpressure: streamToCall of libs/rpc has.',
        },
      ],
    },
  },
  {
    files: ['**/*.mjs', '**/*.js'],
    rules: noRandom,
    languageOptions: {
      globals: Object.fromEntries(
        [
          'process',
          'console',
          'performance',
          'setTimeout',
          'setInterval',
          'clearInterval',
          'clearTimeout',
          'Buffer',
          'URL',
          'fetch',
        ].map((name) => [name, 'readonly']),
      ),
    },
  },
  {
    files: ['web/**/*.js'],
    languageOptions: {
      globals: Object.fromEntries(
        [
          'document',
          'window',
          'location',
          'history',
          'EventSource',
          'matchMedia',
          'ResizeObserver',
          'requestAnimationFrame',
          'cancelAnimationFrame',
          'localStorage',
          'getComputedStyle',
          'URLSearchParams',
          'AbortController',
          'DOMException',
          'Intl',
          'devicePixelRatio',
          'navigator',
          'alert',
          'Response',
          'addEventListener',
          'CustomEvent',
          'Node',
          'HTMLElement',
          'Event',
        ].map((name) => [name, 'readonly']),
      ),
    },
  },
);
