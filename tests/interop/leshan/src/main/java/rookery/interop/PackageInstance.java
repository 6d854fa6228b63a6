package rookery.interop;

import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

import org.eclipse.leshan.client.servers.LwM2mServer;
import org.eclipse.leshan.core.node.LwM2mResource;
import org.eclipse.leshan.core.node.LwM2mSingleResource;
import org.eclipse.leshan.core.request.argument.Arguments;
import org.eclipse.leshan.core.response.ExecuteResponse;
import org.eclipse.leshan.core.response.WriteResponse;

/**
 * Firmware Update (5) or Software Management (9) of a device that obeys: it takes a package that is written, or fetches
 * the one whose URI is written, and installs it when told to. What it got is told as an event with its SHA-256.
 */
final class PackageInstance extends ReportingInstance {

    private static final long STEP_MS = 200;

    private final Kind kind;
    private final Events events;
    private final Fetcher fetcher;
    private final ExecutorService work = Executors.newSingleThreadExecutor(task -> {
        Thread thread = new Thread(task, "packages");
        thread.setDaemon(true);
        return thread;
    });

    /** Resource ids, states and results of the two objects. */
    enum Kind {
        FIRMWARE(0, 1, 2, 3, 5, new long[] { 1 }, 2, 3, 1, -1, 5), SOFTWARE(2, 3, 4, 7, 9, new long[] { 1, 2 }, 3, 4, 2, 3, 53);

        private final int bytes;
        private final int uri;
        private final int install;
        private final int state;
        private final int result;
        private final long[] downloading;
        private final long downloaded;
        private final long installing;
        private final long installed;
        private final long verified;
        private final long bad;

        Kind(int bytes, int uri, int install, int state, int result, long[] downloading, long downloaded,
                long installing, long installed, long verified, long bad) {
            this.bytes = bytes;
            this.uri = uri;
            this.install = install;
            this.state = state;
            this.result = result;
            this.downloading = downloading;
            this.downloaded = downloaded;
            this.installing = installing;
            this.installed = installed;
            this.verified = verified;
            this.bad = bad;
        }
    }

    PackageInstance(Kind kind, Map<Integer, Object> values, Events events, Set<String> observed, Fetcher fetcher) {
        super(values, events, observed);
        this.kind = kind;
        this.events = events;
        this.fetcher = fetcher;
    }

    @Override
    public WriteResponse write(LwM2mServer server, boolean replace, int resourceId, LwM2mResource value) {
        if (server.isSystem() || (resourceId != kind.bytes && resourceId != kind.uri)) {
            return super.write(server, replace, resourceId, value);
        }
        if (resourceId == kind.bytes) {
            byte[] image = (byte[]) value.getValue();
            work.execute(() -> take("pushed", image));
            return WriteResponse.success();
        }
        String uri = (String) value.getValue();
        if (uri.isEmpty()) {
            work.execute(this::forget);
        } else {
            work.execute(() -> fetch(uri));
        }
        return super.write(server, replace, resourceId, value);
    }

    @Override
    public ExecuteResponse execute(LwM2mServer server, int resourceId, Arguments arguments) {
        if (resourceId == kind.install) {
            if (state() != kind.downloaded) {
                return ExecuteResponse.methodNotAllowed();
            }
            work.execute(this::install);
        } else if (kind == Kind.SOFTWARE && resourceId == 6) {
            work.execute(this::forget);
        } else if (kind == Kind.SOFTWARE && (resourceId == 10 || resourceId == 11)) {
            boolean active = resourceId == 10;
            work.execute(() -> set(LwM2mSingleResource.newBooleanResource(12, active)));
        }
        return super.execute(server, resourceId, arguments);
    }

    private void fetch(String uri) {
        set(kind.state, kind.downloading[0]);
        try {
            take("fetched", fetcher.fetch(uri));
        } catch (Exception e) {
            events.emit("fetch-failed", "uri", uri, "message", String.valueOf(e));
            set(kind.result, kind.bad);
            set(kind.state, 0);
        }
    }

    private void take(String how, byte[] image) {
        events.emit(how, "path", getResourcePath(kind.bytes).toString(), "bytes", image.length, "sha256", sha256(image));
        for (long state : kind.downloading) {
            set(kind.state, state);
            pause();
        }
        if (kind.verified >= 0) {
            set(kind.result, kind.verified);
        }
        set(kind.state, kind.downloaded);
    }

    private void install() {
        pause();
        set(kind.state, kind.installing);
        pause();
        set(kind.result, kind.installed);
        if (kind == Kind.FIRMWARE) {
            set(kind.state, 0);
        }
        events.emit("installed", "path", getResourcePath(kind.install).toString());
    }

    private void forget() {
        set(kind.result, 0);
        set(kind.state, 0);
    }

    private long state() {
        return (Long) resources.get(kind.state).getValue();
    }

    private void set(int resourceId, long value) {
        set(LwM2mSingleResource.newIntegerResource(resourceId, value));
    }

    private void set(LwM2mSingleResource resource) {
        write(LwM2mServer.SYSTEM, true, resource.getId(), resource);
    }

    private static void pause() {
        try {
            TimeUnit.MILLISECONDS.sleep(STEP_MS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static String sha256(byte[] bytes) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }
}
