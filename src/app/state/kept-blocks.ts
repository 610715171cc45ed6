/** Blocks of boards that are measured, kept in the browser's own storage: a page that is reloaded or closed meanwhile loses none. */
import { type BlockStore, type SavedBlock } from '#workflows/probe-block.ts';
import { PageStorage } from './page-storage.ts';

const storage = new PageStorage<SavedBlock>({ name: 'twostep-blocks', version: 1 });

/** By the MAC of the board; nothing is kept for a board that does not tell it. */
export const browserBlockStore: BlockStore = {
  load: (mac) => storage.load(mac),
  hold: async (block) => block.mac !== undefined && storage.save(block.mac, block),
  release: async ({ mac }) => {
    if (mac !== undefined) await storage.remove(mac);
  },
};
