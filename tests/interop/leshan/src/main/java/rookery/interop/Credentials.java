package rookery.interop;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;

import org.eclipse.leshan.client.object.Security;

/** What the device proves itself with, and how it knows the server: the content of its Security object. */
interface Credentials {

    Security security(String serverUri, int shortServerId);

    /** Plain CoAP. */
    static Credentials none() {
        return Security::noSec;
    }

    static Credentials preSharedKey(String identity, String hexKey) {
        byte[] key = HexFormat.of().parseHex(hexKey);
        return (uri, id) -> Security.psk(uri, id, identity.getBytes(StandardCharsets.UTF_8), key);
    }

    /** Files of DER: both halves of the device's key, and the server's public key. */
    static Credentials rawPublicKey(String privateKey, String publicKey, String serverKey) {
        byte[] own = bytes(privateKey);
        byte[] shown = bytes(publicKey);
        byte[] server = bytes(serverKey);
        return (uri, id) -> Security.rpk(uri, id, shown, own, server);
    }

    /** Files of DER: the device's certificate and key, and the server's certificate. */
    static Credentials certificate(String certificate, String privateKey, String serverCertificate) {
        byte[] own = bytes(privateKey);
        byte[] shown = bytes(certificate);
        byte[] server = bytes(serverCertificate);
        return (uri, id) -> Security.x509(uri, id, shown, own, server);
    }

    private static byte[] bytes(String file) {
        try {
            return Files.readAllBytes(Path.of(file));
        } catch (IOException e) {
            throw new IllegalArgumentException(file + " cannot be read", e);
        }
    }
}
