import js from '@eslint/js';
import importX from 'eslint-plugin-import-x';
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
    plugins: { 'import-x': importX, house: { rules: { 'imports-go-down': importsGoDown } } },
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: root } },
    settings: {
      'import-x/resolver-next': [
        {
          interfaceVersion: 3,
          name: 'house',
          // Only our own sources can be in a cycle with each other.
          resolve(source, file) {
            const inLibs = /^#libs\/(.+)$/.exec(source);
            if (inLibs) return { found: true, path: resolve(root, 'libs', inLibs[1], 'index.ts') };
            if (source.startsWith('.'))
              return { found: true, path: resolve(dirname(file), source.replace(/\.js$/, '.ts')) };
            return { found: false };
          },
        },
      ],
      'import-x/parsers': { '@typescript-eslint/parser': ['.ts'] },
      'import-x/extensions': ['.ts'],
    },
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
      'import-x/no-cycle': ['error', { ignoreExternal: true }],
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
