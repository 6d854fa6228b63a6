package rookery.interop;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.function.BiFunction;
import java.util.function.Function;

import org.eclipse.leshan.client.object.Security;

/** What the device proves itself with, and how it knows the server: the content of its Security object. */
interface Credentials {

    Security security(String serverUri, int shortServerId);

    /** For the account of a bootstrap server, the only one a device has from its factory. */
    Security bootstrap(String serverUri);

    /** Plain CoAP. */
    static Credentials none() {
        return of(Security::noSec, Security::noSecBootstrap);
    }

    static Credentials preSharedKey(String identity, String hexKey) {
        byte[] name = identity.getBytes(StandardCharsets.UTF_8);
        byte[] key = HexFormat.of().parseHex(hexKey);
        return of((uri, id) -> Security.psk(uri, id, name, key), uri -> Security.pskBootstrap(uri, name, key));
    }

    /** Files of DER: both halves of the device's key, and the server's public key. */
    static Credentials rawPublicKey(String privateKey, String publicKey, String serverKey) {
        byte[] own = bytes(privateKey);
        byte[] shown = bytes(publicKey);
        byte[] server = bytes(serverKey);
        return of((uri, id) -> Security.rpk(uri, id, shown, own, server),
                uri -> Security.rpkBootstrap(uri, shown, own, server));
    }

    /** Files of DER: the device's certificate and key, and the server's certificate. */
    static Credentials certificate(String certificate, String privateKey, String serverCertificate) {
        byte[] own = bytes(privateKey);
        byte[] shown = bytes(certificate);
        byte[] server = bytes(serverCertificate);
        return of((uri, id) -> Security.x509(uri, id, shown, own, server),
                uri -> Security.x509Bootstrap(uri, shown, own, server));
    }

    private static Credentials of(BiFunction<String, Integer, Security> server, Function<String, Security> bootstrap) {
        return new Credentials() {
            @Override
            public Security security(String serverUri, int shortServerId) {
                return server.apply(serverUri, shortServerId);
            }

            @Override
            public Security bootstrap(String serverUri) {
                return bootstrap.apply(serverUri);
            }
        };
    }

    private static byte[] bytes(String file) {
        try {
            return Files.readAllBytes(Path.of(file));
        } catch (IOException e) {
            throw new IllegalArgumentException(file + " cannot be read", e);
        }
    }
}
