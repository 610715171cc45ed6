import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    root: fileURLToPath(new URL('../..', import.meta.url)),
    include: ['test/serial/**/*.test.ts'],
    testTimeout: 120_000,
    // As in test/e2e.
    retry: 2,
    hookTimeout: 120_000,
    fileParallelism: false,
  },
});
