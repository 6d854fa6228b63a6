package rookery.interop;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;

import org.eclipse.californium.core.config.CoapConfig;
import org.eclipse.californium.elements.Connector;
import org.eclipse.californium.elements.config.Configuration;
import org.eclipse.leshan.client.endpoint.LwM2mClientEndpointsProvider;
import org.eclipse.leshan.transport.californium.client.endpoint.CaliforniumClientEndpointFactory;
import org.eclipse.leshan.transport.californium.client.endpoint.CaliforniumClientEndpointsProvider;
import org.eclipse.leshan.transport.californium.client.endpoint.coap.CoapClientEndpointFactory;
import org.eclipse.leshan.transport.californium.client.endpoint.coap.CoapClientProtocolProvider;

/**
 * CoAP over UDP whose socket can be exchanged under a running client: what a NAT that forgets its binding looks like
 * from the server. Tokens, message ids and observe relations live above the connector and stay.
 */
final class MovableEndpoints {

    /** Bytes that are put together from blocks. */
    private static final int LARGEST_BODY = 1 << 20;

    private final InetAddress bind;
    private volatile Connector connector;

    MovableEndpoints(String bind) {
        try {
            this.bind = InetAddress.getByName(bind);
        } catch (UnknownHostException e) {
            throw new IllegalArgumentException("no such local address: " + bind, e);
        }
    }

    LwM2mClientEndpointsProvider provider() {
        CaliforniumClientEndpointsProvider.Builder builder = builder();
        Configuration configuration = builder.createDefaultConfiguration();
        configuration.set(CoapConfig.MAX_RESOURCE_BODY_SIZE, LARGEST_BODY);
        return builder.setConfiguration(configuration).setClientAddress(bind).build();
    }

    private CaliforniumClientEndpointsProvider.Builder builder() {
        return new CaliforniumClientEndpointsProvider.Builder(new CoapClientProtocolProvider() {
            @Override
            public CaliforniumClientEndpointFactory createDefaultEndpointFactory() {
                return new Factory();
            }
        });
    }

    void rebind() throws IOException {
        connector.stop();
        connector.start();
    }

    InetSocketAddress address() {
        Connector current = connector;
        return current == null ? null : current.getAddress();
    }

    private final class Factory extends CoapClientEndpointFactory {
        @Override
        protected Connector createConnector(InetSocketAddress address, Configuration configuration) {
            connector = super.createConnector(address, configuration);
            return connector;
        }
    }
}
