package rookery.interop;

import java.util.List;

import org.eclipse.leshan.core.node.LwM2mPath;
import org.eclipse.leshan.core.request.ContentFormat;

/** What can be asked of the device on standard input. */
@FunctionalInterface
interface Command {

    void perform(Device device) throws Exception;

    static Command parse(List<String> words) {
        String name = words.get(0);
        List<String> rest = words.subList(1, words.size());
        switch (name) {
        case "register":
            return Device::restart;
        case "update":
            return rest.isEmpty() ? Device::update : device -> device.updateLifetime(Long.parseLong(rest.get(0)));
        case "deregister":
            return Device::deregister;
        case "rebind":
            return Device::rebind;
        case "reconnect":
            require(rest.size() == 1 && List.of("resume", "full").contains(rest.get(0)), "reconnect resume|full");
            return device -> device.reconnect(rest.get(0).equals("resume"));
        case "state":
            return Device::state;
        case "set":
            require(rest.size() >= 2, "set PATH VALUE");
            return device -> device.set(new LwM2mPath(rest.get(0)), String.join(" ", rest.subList(1, rest.size())));
        case "send":
            require(rest.size() >= 2, "send json|cbor PATH...");
            return device -> device.send(format(rest.get(0)), rest.subList(1, rest.size()));
        default:
            throw new IllegalArgumentException(
                    "unknown command " + name + "; known: register update deregister rebind reconnect state set send quit");
        }
    }

    private static ContentFormat format(String name) {
        switch (name) {
        case "json":
            return ContentFormat.SENML_JSON;
        case "cbor":
            return ContentFormat.SENML_CBOR;
        default:
            throw new IllegalArgumentException("unknown format " + name + "; known: json cbor");
        }
    }

    private static void require(boolean holds, String usage) {
        if (!holds) {
            throw new IllegalArgumentException("usage: " + usage);
        }
    }
}
