package rookery.interop;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** Entry point: reads one command a line from standard input, writes one JSON event a line to standard output. */
public final class LeshanDevice {

    private LeshanDevice() {
    }

    public static void main(String[] arguments) throws IOException {
        Options options;
        try {
            options = Options.parse(List.of(arguments));
        } catch (IllegalArgumentException e) {
            System.err.println(e.getMessage());
            System.err.println(Options.USAGE);
            System.exit(2);
            return;
        }

        Events events = new Events(System.out);
        Device device = new Device(options, events);
        device.start();

        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        String line;
        while ((line = commands.readLine()) != null && !line.strip().equals("quit")) {
            if (!line.isBlank()) {
                perform(line.strip(), device, events);
            }
        }
        device.abandon();
        System.exit(0);
    }

    /** Performs one command; a command that cannot be performed is an event, not the end of the device. */
    private static void perform(String line, Device device, Events events) {
        List<String> words = List.of(line.split("\\s+"));
        try {
            Command.parse(words).perform(device);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (Exception e) {
            events.emit("error", "command", line, "message", String.valueOf(e.getMessage()));
        }
    }
}
