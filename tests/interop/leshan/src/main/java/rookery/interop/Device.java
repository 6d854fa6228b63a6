package rookery.interop;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;

import org.eclipse.californium.core.CoapClient;
import org.eclipse.californium.core.CoapResponse;
import org.eclipse.leshan.client.LeshanClient;
import org.eclipse.leshan.client.LeshanClientBuilder;
import org.eclipse.leshan.client.engine.DefaultRegistrationEngineFactory;
import org.eclipse.leshan.client.resource.LwM2mInstanceEnabler;
import org.eclipse.leshan.client.resource.ObjectEnabler;
import org.eclipse.leshan.client.servers.LwM2mServer;
import org.eclipse.leshan.core.model.ResourceModel;
import org.eclipse.leshan.core.node.LwM2mPath;
import org.eclipse.leshan.core.request.ContentFormat;
import org.eclipse.leshan.core.response.SendResponse;
import org.eclipse.leshan.core.response.WriteResponse;
import org.eclipse.leshan.transport.californium.client.endpoint.CaliforniumClientEndpoint;

/** A Leshan client and what can be done with it. */
final class Device {

    private static final long SEND_TIMEOUT_MS = 10_000;
    private static final long FETCH_TIMEOUT_MS = 60_000;

    private final Options options;
    private final Events events;
    private MovableEndpoints endpoints;
    private Objects objects;
    private LeshanClient client;

    Device(Options options, Events events) {
        this.options = options;
        this.events = events;
    }

    /** Switches the device on: a client that knows nothing of an earlier life registers. */
    void start() {
        endpoints = new MovableEndpoints(options);
        objects = new Objects(options, events, this::fetch);

        DefaultRegistrationEngineFactory engine = new DefaultRegistrationEngineFactory();
        engine.setQueueMode(options.queueMode());
        engine.setRequestTimeoutInMs(30_000);

        LeshanClientBuilder builder = new LeshanClientBuilder(options.endpoint());
        builder.setObjects(objects.enablers());
        builder.setRegistrationEngineFactory(new VersionedRegistration(engine, options.version()));
        builder.setEndpointsProviders(endpoints.provider());
        builder.setAdditionalAttributes(options.attributes());
        builder.setEncoder(options.formats().encoder());
        builder.setDecoder(options.formats().decoder());
        client = builder.build();
        client.addObserver(new RegistrationReporter(events, this::address));
        client.start();
    }

    /** Stops without a word to the server and registers anew, as after a power cut. */
    void restart() {
        client.destroy(false);
        start();
    }

    void update() {
        client.triggerRegistrationUpdate();
    }

    /** A new lifetime is sent to the server by the client library of its own accord. */
    void updateLifetime(long seconds) {
        write(new LwM2mPath(1, 0, 1), Long.toString(seconds));
    }

    void deregister() {
        client.stop(true);
    }

    void abandon() {
        client.destroy(false);
    }

    /** Moves to another local port and says nothing about it to the server; registration and observations stay. */
    void rebind() throws Exception {
        endpoints.rebind();
        events.emit("rebound", "address", address());
    }

    /** Gives the session up: the next message brings a handshake, which resumes it or knows nothing of it. */
    void reconnect(boolean resume) {
        LwM2mServer server = server();
        client.getEndpoint(server).forceReconnection(server, resume);
        events.emit("reconnecting", "resume", resume);
    }

    void state() {
        events.emit("state", "registration", registration(), "address", address(), "observed", objects.observed());
    }

    void set(LwM2mPath path, String value) {
        write(path, value);
        events.emit("set", "path", path.toString(), "value", value);
    }

    void send(ContentFormat format, List<String> paths) throws InterruptedException {
        SendResponse response = client.getSendService().sendData(server(), format, paths, SEND_TIMEOUT_MS);
        if (response == null) {
            events.emit("send-timeout");
        } else {
            events.emit("sent", "code", RegistrationReporter.dotted(response.getCode()), "message",
                    response.getErrorMessage());
        }
    }

    /** Fetches over the registration's own endpoint, and so in its DTLS session. */
    private byte[] fetch(String uri) throws Exception {
        CaliforniumClientEndpoint endpoint = (CaliforniumClientEndpoint) client.getEndpoint(server());
        CoapClient coap = new CoapClient(uri).setEndpoint(endpoint.getCoapEndpoint()).setTimeout(FETCH_TIMEOUT_MS);
        CoapResponse response = coap.get();
        if (response == null || !response.isSuccess()) {
            throw new IOException(response == null ? "no answer" : response.getCode() + " " + response.getResponseText());
        }
        return response.getPayload();
    }

    /** Changes a value from inside, where no access rule of the object applies. */
    private void write(LwM2mPath path, String text) {
        ObjectEnabler object = (ObjectEnabler) client.getObjectTree().getObjectEnabler(path.getObjectId());
        LwM2mInstanceEnabler instance = object == null ? null : object.getInstance(path.getObjectInstanceId());
        ResourceModel model = instance == null ? null : object.getObjectModel().resources.get(path.getResourceId());
        if (model == null) {
            throw new NoSuchElementException("no such resource " + path);
        }
        // An instance is merged into its multiple resource, a single resource is replaced.
        boolean replace = !path.isResourceInstance();
        WriteResponse response = instance.write(LwM2mServer.SYSTEM, replace, model.id,
                Values.resource(model, path, text));
        if (!response.isSuccess()) {
            throw new IllegalStateException(response.getCode() + " " + response.getErrorMessage());
        }
    }

    private LwM2mServer server() {
        Map<String, LwM2mServer> servers = client.getRegisteredServers();
        return servers.values().stream().findFirst()
                .orElseThrow(() -> new NoSuchElementException("not registered"));
    }

    private String registration() {
        return client.getRegisteredServers().keySet().stream().findFirst().map(RegistrationReporter::id).orElse(null);
    }

    private String address() {
        InetSocketAddress address = endpoints.address();
        return address == null ? null : address.getHostString() + ":" + address.getPort();
    }
}
