package rookery.interop;

import java.util.function.Supplier;

import org.eclipse.leshan.client.observer.LwM2mClientObserverAdapter;
import org.eclipse.leshan.client.servers.LwM2mServer;
import org.eclipse.leshan.core.ResponseCode;
import org.eclipse.leshan.core.request.BootstrapRequest;
import org.eclipse.leshan.core.request.DeregisterRequest;
import org.eclipse.leshan.core.request.RegisterRequest;
import org.eclipse.leshan.core.request.UpdateRequest;

/** Turns what the registration engine tells into events. */
final class RegistrationReporter extends LwM2mClientObserverAdapter {

    private final Events events;
    private final Supplier<String> address;

    RegistrationReporter(Events events, Supplier<String> address) {
        this.events = events;
        this.address = address;
    }

    /** A CoAP code as the field writes it: 2.04. */
    static String dotted(ResponseCode code) {
        return code == null ? null : "%d.%02d".formatted(code.getCode() / 100, code.getCode() % 100);
    }

    /** The registration id: the last segment of the location. */
    static String id(String location) {
        return location.substring(location.lastIndexOf('/') + 1);
    }

    @Override
    public void onBootstrapSuccess(LwM2mServer server, BootstrapRequest request) {
        events.emit("bootstrapped");
    }

    @Override
    public void onBootstrapFailure(LwM2mServer server, BootstrapRequest request, ResponseCode code, String message,
            Exception cause) {
        failed("bootstrap-failed", code, message, cause);
    }

    @Override
    public void onRegistrationSuccess(LwM2mServer server, RegisterRequest request, String location) {
        events.emit("registered", "id", id(location), "address", address.get());
    }

    @Override
    public void onRegistrationFailure(LwM2mServer server, RegisterRequest request, ResponseCode code, String message,
            Exception cause) {
        failed("register-failed", code, message, cause);
    }

    @Override
    public void onRegistrationTimeout(LwM2mServer server, RegisterRequest request) {
        events.emit("register-timeout");
    }

    @Override
    public void onUpdateSuccess(LwM2mServer server, UpdateRequest request) {
        events.emit("updated", "lifetime", request.getLifeTimeInSec());
    }

    @Override
    public void onUpdateFailure(LwM2mServer server, UpdateRequest request, ResponseCode code, String message,
            Exception cause) {
        failed("update-failed", code, message, cause);
    }

    @Override
    public void onUpdateTimeout(LwM2mServer server, UpdateRequest request) {
        events.emit("update-timeout");
    }

    @Override
    public void onDeregistrationSuccess(LwM2mServer server, DeregisterRequest request) {
        events.emit("deregistered");
    }

    @Override
    public void onDeregistrationFailure(LwM2mServer server, DeregisterRequest request, ResponseCode code,
            String message, Exception cause) {
        failed("deregister-failed", code, message, cause);
    }

    @Override
    public void onDeregistrationTimeout(LwM2mServer server, DeregisterRequest request) {
        events.emit("deregister-timeout");
    }

    @Override
    public void onUnexpectedError(Throwable error) {
        events.emit("error", "command", null, "message", String.valueOf(error));
    }

    private void failed(String event, ResponseCode code, String message, Exception cause) {
        events.emit(event, "code", dotted(code), "message", cause == null ? message : String.valueOf(cause));
    }
}
