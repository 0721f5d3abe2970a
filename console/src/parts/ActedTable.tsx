import type { ReactNode } from "react";

interface ActedTableProps {
  /** Of the columns before the last one, which has what can be done. */
  readonly headings: readonly (string | { readonly number: string })[];
  /** It stands in a card already. */
  readonly isInside?: boolean;
  /** The rows. */
  readonly children: ReactNode;
}

/** Things in rows, the last column with what can be done with each; a narrow window scrolls it. */
export function ActedTable({ headings, isInside = false, children }: ActedTableProps) {
  return (
    <div className={isInside ? "scroll" : "card scroll"}>
      <table>
        <thead>
          <tr>
            {headings.map((heading) =>
              typeof heading === "string" ? (
                <th key={heading}>{heading}</th>
              ) : (
                <th key={heading.number} className="number">
                  {heading.number}
                </th>
              ),
            )}
            <th>
              <span className="unseen">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}
