/** The updates that are not over, in memory: each record is one object, however it is found. */
import { type UpdateRecord, type UpdateStore, type CampaignRecord } from '../store/update-store.ts';

/** An update of several boards, of which one at least is not over. */
export interface Campaign extends CampaignRecord {
  /** In their order. */
  members: UpdateRecord[];
}

export class OpenUpdates {
  readonly #ofBoard = new Map<string, UpdateRecord>();
  readonly #byId = new Map<string, UpdateRecord>();
  readonly #campaigns = new Map<string, Campaign>();

  /** Those that are not over in the store. */
  constructor(store: UpdateStore) {
    for (const id of new Set(store.open().map(({ campaign }) => campaign))) {
      const campaign = store.campaign(id);
      if (campaign) this.add({ ...campaign, members: store.ofCampaign(id) });
    }
  }

  add(campaign: Campaign): void {
    this.#campaigns.set(campaign.id, campaign);
    for (const record of campaign.members) {
      if (record.endedAt !== undefined) continue;
      this.#ofBoard.set(record.board.id, record);
      this.#byId.set(record.id, record);
    }
  }

  /** It is over. */
  remove({ id, board, campaign }: UpdateRecord): void {
    this.#byId.delete(id);
    this.#ofBoard.delete(board.id);
    if (this.#campaigns.get(campaign)?.members.every(({ endedAt }) => endedAt !== undefined)) {
      this.#campaigns.delete(campaign);
    }
  }

  get size(): number {
    return this.#byId.size;
  }

  get(id: string): UpdateRecord | undefined {
    return this.#byId.get(id);
  }

  ofBoard(board: string): UpdateRecord | undefined {
    return this.#ofBoard.get(board);
  }

  /**
   * Whether an update of the same board, or of one at its address, is not over. The list may come to have one board twice, such as when one is
   * given the address of another: two downloads at once would write over each other.
   */
  isUnderWay({ board: { id, mac }, state: { address } }: UpdateRecord): boolean {
    return this.all().some(
      ({ board, state }) => board.id === id || state.address === address || (mac !== undefined && board.mac === mac),
    );
  }

  all(): UpdateRecord[] {
    return [...this.#byId.values()];
  }

  campaign(id: string): Campaign | undefined {
    return this.#campaigns.get(id);
  }

  campaigns(): Campaign[] {
    return [...this.#campaigns.values()];
  }
}
