/** Runs every test file in this one process, which also proves that none leaves anything behind. */
import { readdir } from 'node:fs/promises';

const files = await readdir(new URL('.', import.meta.url), { recursive: true });
for (const file of files.filter((name) => /\.test\.[jt]s$/.test(name)).sort())
  await import(new URL(file.replaceAll('\\', '/'), import.meta.url).href);
