/**
 * The lint rules, and above all the table of who may import whom (see ARCHITECTURE.md).
 */
import js from '@eslint/js';
import svelte from 'eslint-plugin-svelte';
import ts from 'typescript-eslint';

/** layer -> the layers below it that it may import */
const LAYERS = {
  formats: [],
  device: ['formats', 'clock'],
  sim: ['formats', 'clock'],
  workflows: ['formats', 'device', 'clock'],
  messages: ['api', 'formats', 'device', 'workflows'],
  station: ['api', 'formats', 'device', 'workflows', 'messages', 'clock'],
  app: ['api', 'formats', 'device', 'workflows', 'messages', 'clock'], // and sim, in src/app/demo only
  cli: ['api', 'formats', 'device', 'workflows', 'messages', 'sim', 'station', 'clock'],
};
/** What stands at the root of src: files, not folders. */
const ROOT_FILES = ['api', 'clock', 'model-clock'];

const foreign = (layer, allowed) =>
  [...Object.keys(LAYERS), ...ROOT_FILES].filter(
    (other) =>
      other !== layer && !allowed.includes(other) && !(other === 'model-clock' && ['app', 'cli'].includes(layer)),
  );

const layerRules = Object.entries(LAYERS).map(([layer, allowed]) => ({
  files: [`src/${layer}/**`],
  rules: {
    'no-restricted-imports': [
      'error',
      {
        patterns: [
          ...foreign(layer, allowed).map((other) => ({
            // `regex`, not `group`: in a group a leading "#" is a comment and the rule silently passes.
            regex: `^(#|(\\.\\.?/)+)${other}(/|\\.ts$)`,
            message: `src/${layer} must not depend on src/${other}.`,
          })),
          ...(layer === 'station'
            ? [
                {
                  regex: '^#device/(?!board-http\\.ts$)',
                  message: 'Of src/device the station may use board-http.ts only.',
                },
              ]
            : []),
          ...(['formats', 'sim', 'workflows', 'messages'].includes(layer)
            ? [{ regex: '^node:', message: `src/${layer} runs in the page too: no Node modules.` }]
            : []),
        ],
      },
    ],
  },
}));

export default ts.config(
  { ignores: ['dist/', 'node_modules/', 'coverage/'] },
  js.configs.recommended,
  ...ts.configs.recommendedTypeChecked,
  ...svelte.configs.recommended,
  {
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: [] },
        tsconfigRootDir: import.meta.dirname,
        extraFileExtensions: ['.svelte'],
      },
    },
    rules: {
      'no-undef': 'off',
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      'no-empty': ['error', { allowEmptyCatch: false }],
    },
  },
  { files: ['**/*.js'], ...ts.configs.disableTypeChecked },
  { files: ['**/*.svelte', '**/*.svelte.ts'], languageOptions: { parserOptions: { parser: ts.parser } } },
  ...layerRules,
  {
    files: ['src/formats/**'],
    rules: {
      'no-restricted-globals': [
        'error',
        ...['window', 'document', 'navigator', 'fetch', 'process', 'Buffer', 'setTimeout', 'setInterval', 'Date'],
      ],
    },
  },
  {
    // Time is handed in (src/clock.ts), so that campaigns run in modelled time.
    files: ['src/device/**', 'src/sim/**', 'src/workflows/**', 'src/messages/**'],
    rules: {
      'no-restricted-globals': ['error', 'setTimeout', 'setInterval', 'Date', 'performance', 'process', 'Buffer'],
    },
  },
  // The one place of the page that knows the virtual board.
  { files: ['src/app/demo/**'], rules: { 'no-restricted-imports': 'off' } },
  { files: ['test/**'], rules: { '@typescript-eslint/no-non-null-assertion': 'off' } },
);
