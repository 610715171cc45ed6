/** `window.__twostepDemo`, only with `?demoSpeed=`: lets a test compare the virtual board's flash with the plan. */
import { type FlashPlan } from '#workflows/flash-plan.ts';
import { type DemoBoard } from './demo-board.ts';

export interface DemoHandle {
  /** All bytes of the virtual board's flash. */
  flash(): Promise<Uint8Array | undefined>;
  /** The plan that the page shows, or carried out last. */
  plan(): FlashPlan | undefined;
}

export function exposeDemo(board: () => DemoBoard | undefined, plan: () => FlashPlan | undefined): void {
  const handle: DemoHandle = { flash: async () => board()?.flash(), plan };
  Object.assign(globalThis, { __twostepDemo: handle });
}
