/** `window.__twostepDemo`, only with `?demoSpeed=`: lets a test put a board of its making on the desk, and look into it. */
import { type FlashPlan } from '#workflows/flash-plan.ts';
import { type DemoBoard, startDemoBoard } from './demo-board.ts';
import { type DemoSettings } from './demo-messages.ts';

export interface DemoHandle {
  /** Puts another virtual board in place of the one that is there; it is not connected. */
  place(board: Omit<DemoSettings, 'speed'>): Promise<void>;
  /** All bytes of the virtual board's flash. */
  flash(): Promise<Uint8Array | undefined>;
  /** Something goes wrong with the virtual board from now on; see demo-faults.ts, numbers count from now. */
  addFault(fault: string): Promise<void>;
  /** How many of the virtual board's faults have not happened yet. */
  pendingFaults(): Promise<number | undefined>;
  /** The plan that the page shows, or carried out last. */
  plan(): FlashPlan | undefined;
}

/** What the handle needs of the screen. */
interface DemoFlow {
  readonly demo: { readonly board: DemoBoard | undefined; take(board: DemoBoard): Promise<void> };
  readonly plan: FlashPlan | undefined;
}

export function exposeDemo(flow: DemoFlow, speed: number): void {
  const handle: DemoHandle = {
    place: (board) => flow.demo.take(startDemoBoard({ ...board, speed })),
    flash: async () => flow.demo.board?.flash(),
    addFault: async (fault) => flow.demo.board?.addFault(fault),
    pendingFaults: async () => flow.demo.board?.pendingFaults(),
    plan: () => flow.plan,
  };
  Object.assign(globalThis, { __twostepDemo: handle });
}
