/** What is written down when an update begins. */
import { type ReleaseView, type StartRequest } from '#api.ts';
import { initialState } from '#workflows/update-state.ts';
import { type InferOutput } from 'valibot';
import { newId } from '../new-id.ts';
import { Refusal } from '../refusal.ts';
import { type CampaignRecord, type UpdateRecord } from '../store/update-store.ts';
import { type BoardPlan } from './update-planner.ts';

export type StartWish = InferOutput<typeof StartRequest>;

/** @throws {Refusal} `plan-refused` with the codes of what stands against it or was not agreed to. */
export function startRecords(
  plans: readonly BoardPlan[],
  { wish, release, now }: { wish: StartWish; release: ReleaseView; now: number },
): { campaign: CampaignRecord; records: UpdateRecord[] } {
  const objections = plans.flatMap(({ plan }) => plan.objections.map(({ code }) => code));
  const consents = plans.flatMap(({ plan }) => plan.consents.map(({ code }) => code));
  const against = [...objections, ...consents.filter((code) => !wish.consents.includes(code))];
  if (against.length > 0) throw new Refusal('plan-refused', [...new Set(against)].join(', '));
  const { atOnce, testGroup, stopAfter, onFailure, retries } = wish;
  const campaign: CampaignRecord = {
    id: newId(),
    rules: { atOnce, testGroup, stopAfter },
    policy: { onFailure, retries },
    startedAt: now,
  };
  return { campaign, records: plans.map((plan, place) => recordOf(plan, { campaign, place, release })) };
}

function recordOf(
  { board, plan, carried }: BoardPlan,
  { campaign, place, release }: { campaign: CampaignRecord; place: number; release: ReleaseView },
): UpdateRecord {
  if (!plan.facts) throw new Refusal('plan-refused');
  const { id, name, version } = release;
  const { mac, address } = board;
  return {
    id: newId(),
    campaign: campaign.id,
    place,
    board: { id: board.id, name: board.name ?? mac ?? address ?? board.id, ...(mac !== undefined && { mac }) },
    release: { id, name, ...(version !== undefined && { version }) },
    carried,
    queued: 'waiting',
    state: initialState(plan.facts, plan.address),
    startedAt: campaign.startedAt,
    changedAt: campaign.startedAt,
  };
}
