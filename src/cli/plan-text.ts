/** A plan as text for people and as a record for machines. */
import { bytesText, addressText } from '#messages/units.ts';
import { itemText, noticeMessage, reasonText } from '#messages/plan-messages.ts';
import { type BoardItem, type FlashPlan, plannedBytes } from '#workflows/flash-plan.ts';
import { type Notice, type ObjectionCode, type WarningCode } from '#workflows/plan-notices.ts';

export function planText(plan: FlashPlan): string {
  const lines = [
    `Writes ${bytesText(plannedBytes(plan))} to the ${plan.chip.title} (${bytesText(plan.flashSize)} of flash)`,
    ...plan.writes.map(
      ({ label, offset, data, why, role }) =>
        `  ${addressText(offset).padStart(8)}  ${bytesText(data.length).padStart(9)}  ${named(role, label).padEnd(24)} ${reasonText(why)}`,
    ),
    ...section('Keeps', plan.kept),
    ...section('Loses', plan.lost),
    ...notices('Note', plan.warnings),
    ...notices('Objection', plan.objections),
  ];
  return lines.join('\n');
}

/** Everything of the plan but the bytes. Never holds a password. */
export function planRecord(plan: FlashPlan): Record<string, unknown> {
  return {
    chip: plan.chip.name,
    flashSize: plan.flashSize,
    writes: plan.writes.map(({ role, label, offset, data, why }) => ({ role, label, offset, size: data.length, why })),
    kept: plan.kept,
    lost: plan.lost,
    warnings: plan.warnings.map(withText),
    objections: plan.objections.map(withText),
    table: plan.table,
    ...(plan.roles
      ? { roles: { app: plan.roles.app.name, data: plan.roles.data?.name, swapped: plan.roles.swapped } }
      : {}),
    ...(plan.wifi ? { wifi: plan.wifi } : {}),
  };
}

const withText = (notice: Notice<ObjectionCode | WarningCode>): Record<string, unknown> => ({
  ...notice,
  ...noticeMessage(notice),
});

const named = (role: string, label: string): string =>
  role === 'app' || role === 'data' ? `${label} (${role})` : label;

function section(title: string, items: readonly BoardItem[]): string[] {
  if (items.length === 0) return [`${title} nothing`];
  return [
    title,
    ...items.map((item) => {
      const { what, fate } = itemText(item);
      return `  ${addressText(item.offset).padStart(8)}  ${bytesText(item.size).padStart(9)}  ${`${item.label}: ${what}`.padEnd(24)} ${fate}`;
    }),
  ];
}

const notices = (title: string, list: readonly Notice<ObjectionCode | WarningCode>[]): string[] =>
  list.map((notice) => {
    const { what, todo } = noticeMessage(notice);
    return `${title}: ${what}${todo === undefined ? '' : ` ${todo}`}`;
  });
