// What a chart of a long history shows of it, and where its axes have their marks. Pure.

const PAGE = 100; // the most transactions that one page of the service has
const PAGES_MAX = 4; // a history of no more pages than this is drawn whole
const BETWEEN = 24; // single transactions drawn between the oldest and the latest hundred

/** Return which pages to read of a history of `total` transactions: {page, limit} each. */
export function pagesToDraw(total) {
  const pages = Math.ceil(total / PAGE);
  if (pages <= PAGES_MAX) return pagesFrom(1, pages);
  const first = PAGE + 1;
  const last = total - PAGE;
  const between = Array.from({ length: BETWEEN }, (_, index) => ({
    page: first + Math.floor(((last - first) * index) / (BETWEEN - 1)),
    limit: 1,
  }));
  return [...pagesFrom(1, 1), ...between, ...pagesFrom(pages - 1, pages)];
}

function pagesFrom(first, last) {
  const pages = [];
  for (let page = first; page <= last; page += 1) pages.push({ page, limit: PAGE });
  return pages;
}

/** Return amounts for the marks of an axis: round ones, `count` of them or about that. */
export function roundMarks(least, most, count) {
  const step = roundStep((most - least) / BigInt(count));
  const marks = [];
  let mark = (least / step) * step;
  if (mark < least) mark += step;
  for (; mark <= most; mark += step) marks.push(mark);
  return marks;
}

function roundStep(least) {
  let unit = 1n;
  while (unit * 10n <= least) unit *= 10n;
  return [1n, 2n, 5n, 10n].map((times) => unit * times).find((step) => step >= least) ?? 1n;
}
