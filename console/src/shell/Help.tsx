import { Dialog } from "../parts/pieces.tsx";
import { goTo } from "../keys.ts";

/** What the keys do. */
export function Help({ onClose }: { readonly onClose: () => void }) {
  return (
    <Dialog title="Keyboard" onClose={onClose}>
      <dl className="pairs">
        {Object.entries(goTo).map(([key, { name }]) => (
          <Row key={key} keys={["g", key]} does={name} />
        ))}
        <Row keys={["/"]} does="To the search, or the filter of runs" />
        <Row keys={["j", "k"]} does="Next, previous row of a list; Enter opens it, x marks it" />
        <Row keys={["Esc"]} does="Close what is open" />
        <Row keys={["?"]} does="This help" />
      </dl>
      <div className="buttons">
        <button type="button" onClick={onClose}>
          Close
        </button>
      </div>
    </Dialog>
  );
}

function Row({ keys, does }: { readonly keys: readonly string[]; readonly does: string }) {
  return (
    <>
      <dt>
        {keys.map((key, at) => (
          <span key={key}>
            {at === 0 ? "" : " "}
            <kbd>{key}</kbd>
          </span>
        ))}
      </dt>
      <dd>{does}</dd>
    </>
  );
}
