package rookery.interop;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.util.Arrays;

import org.eclipse.californium.core.config.CoapConfig;
import org.eclipse.californium.elements.Connector;
import org.eclipse.californium.elements.config.Configuration;
import org.eclipse.californium.scandium.DTLSConnector;
import org.eclipse.californium.scandium.config.DtlsConfig;
import org.eclipse.californium.scandium.config.DtlsConnectorConfig;
import org.eclipse.californium.scandium.dtls.cipher.CipherSuite;
import org.eclipse.leshan.client.endpoint.LwM2mClientEndpointsProvider;
import org.eclipse.leshan.transport.californium.client.endpoint.CaliforniumClientEndpointFactory;
import org.eclipse.leshan.transport.californium.client.endpoint.CaliforniumClientEndpointsProvider;
import org.eclipse.leshan.transport.californium.client.endpoint.coap.CoapClientEndpointFactory;
import org.eclipse.leshan.transport.californium.client.endpoint.coap.CoapClientProtocolProvider;
import org.eclipse.leshan.transport.californium.client.endpoint.coaps.CoapsClientEndpointFactory;
import org.eclipse.leshan.transport.californium.client.endpoint.coaps.CoapsClientProtocolProvider;

/**
 * CoAP over DTLS, and CoAP over UDP whose socket can be exchanged under a running client: what a NAT that forgets its binding looks like
 * from the server. Tokens, message ids and observe relations live above the connector and stay.
 */
final class MovableEndpoints {

    /** Bytes that are put together from blocks. */
    private static final int LARGEST_BODY = 1 << 20;

    private final Options options;
    private final InetAddress bind;
    private volatile Connector connector;

    MovableEndpoints(Options options) {
        this.options = options;
        try {
            this.bind = InetAddress.getByName(options.bind());
        } catch (UnknownHostException e) {
            throw new IllegalArgumentException("no such local address: " + options.bind(), e);
        }
    }

    LwM2mClientEndpointsProvider provider() {
        CaliforniumClientEndpointsProvider.Builder builder = builder();
        Configuration configuration = builder.createDefaultConfiguration();
        configuration.set(CoapConfig.MAX_RESOURCE_BODY_SIZE, LARGEST_BODY);
        configuration.set(DtlsConfig.DTLS_CONNECTION_ID_LENGTH, options.connectionId());
        if (options.suites() != null) {
            configuration.set(DtlsConfig.DTLS_RECOMMENDED_CIPHER_SUITES_ONLY, false);
            configuration.set(DtlsConfig.DTLS_CIPHER_SUITES,
                    Arrays.stream(options.suites().split(",")).map(CipherSuite::valueOf).toList());
        }
        return builder.setConfiguration(configuration).setClientAddress(bind).build();
    }

    private CaliforniumClientEndpointsProvider.Builder builder() {
        return new CaliforniumClientEndpointsProvider.Builder(new CoapClientProtocolProvider() {
            @Override
            public CaliforniumClientEndpointFactory createDefaultEndpointFactory() {
                return new Factory();
            }
        }, new CoapsClientProtocolProvider() {
            @Override
            public CaliforniumClientEndpointFactory createDefaultEndpointFactory() {
                return new SecuredFactory();
            }
        });
    }

    /** Not over DTLS: that connector keeps its port. */
    void rebind() throws IOException {
        if (connector instanceof DTLSConnector) {
            throw new IllegalStateException("rebind works without DTLS only");
        }
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

    private final class SecuredFactory extends CoapsClientEndpointFactory {
        @Override
        protected Connector createSecuredConnector(DtlsConnectorConfig configuration) {
            connector = super.createSecuredConnector(configuration);
            return connector;
        }
    }
}
