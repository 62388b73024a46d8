import { Busy, Empty } from '../../parts/Empty';
import { useVms } from '../../store/vms';
import { text } from '../../text';
import { DisplayView } from './DisplayView';

/** A display in a window of its own, which is also where vm.get_display_web_uri leads. */
export default function DisplayWindow({ device }: { device: number }) {
  const { list, isLoaded } = useVms();
  const vm = list.find((each) => each.devices.some(({ id }) => id === device));
  if (!isLoaded) return <Busy isPage />;
  if (!vm) return <Empty isPage title={text.display.none} body={text.display.noneBody} />;
  document.title = `${vm.name} – ${text.product}`;
  return (
    <main>
      <h1 className="pf-v6-u-screen-reader">{text.display.frame(vm.name)}</h1>
      <DisplayView vm={vm} initial={device} isWindow />
    </main>
  );
}
