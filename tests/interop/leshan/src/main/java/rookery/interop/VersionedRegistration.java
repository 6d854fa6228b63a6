package rookery.interop;

import java.util.EnumSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ScheduledExecutorService;

import org.eclipse.leshan.client.EndpointsManager;
import org.eclipse.leshan.client.bootstrap.BootstrapHandler;
import org.eclipse.leshan.client.engine.ClientEndpointNameProvider;
import org.eclipse.leshan.client.engine.RegistrationEngine;
import org.eclipse.leshan.client.engine.RegistrationEngineFactory;
import org.eclipse.leshan.client.observer.LwM2mClientObserver;
import org.eclipse.leshan.client.request.UplinkRequestSender;
import org.eclipse.leshan.client.resource.LwM2mObjectTree;
import org.eclipse.leshan.client.servers.LwM2mServer;
import org.eclipse.leshan.client.servers.ServersInfoExtractor;
import org.eclipse.leshan.client.util.LinkFormatHelper;
import org.eclipse.leshan.core.LwM2m.LwM2mVersion;
import org.eclipse.leshan.core.request.BindingMode;
import org.eclipse.leshan.core.request.ContentFormat;
import org.eclipse.leshan.core.request.RegisterRequest;
import org.eclipse.leshan.core.request.UplinkRequest;
import org.eclipse.leshan.core.response.ErrorCallback;
import org.eclipse.leshan.core.response.LwM2mResponse;
import org.eclipse.leshan.core.response.ResponseCallback;

/** The library always registers with the newest version it knows: this states the wanted one instead. */
record VersionedRegistration(RegistrationEngineFactory engine,
        LwM2mVersion version) implements RegistrationEngineFactory {

    @Override
    public RegistrationEngine createRegistratioEngine(ClientEndpointNameProvider name, LwM2mObjectTree objectTree,
            EndpointsManager endpoints, UplinkRequestSender sender, BootstrapHandler bootstrap,
            LwM2mClientObserver observer, Map<String, String> attributes, Map<String, String> bootstrapAttributes,
            Set<ContentFormat> formats, ScheduledExecutorService executor, LinkFormatHelper links,
            ServersInfoExtractor servers) {
        return engine.createRegistratioEngine(name, objectTree, endpoints, new Sender(sender, version), bootstrap,
                observer, attributes, bootstrapAttributes, formats, executor, links, servers);
    }

    private record Sender(UplinkRequestSender sender, LwM2mVersion version) implements UplinkRequestSender {

        @Override
        public <T extends LwM2mResponse> T send(LwM2mServer server, UplinkRequest<T> request, long timeout)
                throws InterruptedException {
            return sender.send(server, versioned(request), timeout);
        }

        @Override
        public <T extends LwM2mResponse> void send(LwM2mServer server, UplinkRequest<T> request, long timeout,
                ResponseCallback<T> onResponse, ErrorCallback onError) {
            sender.send(server, versioned(request), timeout, onResponse, onError);
        }

        @SuppressWarnings("unchecked") // A RegisterRequest is exchanged for a RegisterRequest.
        private <T extends LwM2mResponse> UplinkRequest<T> versioned(UplinkRequest<T> request) {
            if (!(request instanceof RegisterRequest register)) {
                return request;
            }
            EnumSet<BindingMode> binding = register.getBindingMode();
            Boolean queueMode = register.getQueueMode();
            if (version.equals(LwM2mVersion.V1_0)) {
                // LwM2M 1.0 knows no Q parameter: queue mode is part of the binding there.
                if (Boolean.TRUE.equals(queueMode)) {
                    binding = EnumSet.of(BindingMode.U, BindingMode.Q);
                }
                queueMode = null;
            }
            RegisterRequest versioned = new RegisterRequest(register.getEndpointName(), register.getLifetime(),
                    version.toString(), binding, queueMode, register.getSmsNumber(), register.getObjectLinks(),
                    register.getAdditionalAttributes());
            return (UplinkRequest<T>) versioned;
        }
    }
}
