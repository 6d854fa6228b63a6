package rookery.interop;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

import org.eclipse.leshan.core.LwM2m.LwM2mVersion;

/** The command line. */
record Options(String serverUri, String endpoint, boolean bootstrap, LwM2mVersion version, long lifetime,
        boolean queueMode, Map<String, String> attributes, String bind, List<String> models, Formats formats,
        Credentials credentials, Integer connectionId, String suites) {

    static final String USAGE = """
            usage: leshan SERVER_URI ENDPOINT [options]
              --bootstrap         SERVER_URI is a bootstrap server's; the device knows no other
              --lwm2m 1.0|1.1     version of the registration (1.1)
              --lifetime SECONDS  lifetime of the registration (300)
              --queue             queue mode
              --attribute K=V     one more parameter of the registration
              --bind ADDRESS      local address (127.0.0.1)
              --formats N,N,...   content formats it knows (all of the library)
              --old-formats       also the numbers 1541 to 1543 of TLV and JSON
              --psk IDENTITY KEY  pre-shared key, in hexadecimal digits
              --rpk KEY PUBLIC SERVER
                                  raw public key: files of DER with both halves of its key, and the server's public key
              --x509 CERTIFICATE KEY SERVER
                                  files of DER with its certificate and key, and the server's certificate
              --cid LENGTH        offers connection identifiers, its own of LENGTH bytes
              --suites S,S,...    cipher suites it offers (the library's choice)
              --model FILE        an object definition in OMA's XML; takes the place of one of the library""";

    static Options parse(List<String> arguments) {
        if (arguments.size() < 2) {
            throw new IllegalArgumentException("SERVER_URI and ENDPOINT are needed");
        }
        LwM2mVersion version = LwM2mVersion.V1_1;
        long lifetime = 300;
        boolean queueMode = false;
        boolean bootstrap = false;
        boolean oldFormats = false;
        String formats = null;
        String bind = "127.0.0.1";
        Credentials credentials = Credentials.none();
        Integer connectionId = null;
        String suites = null;
        Map<String, String> attributes = new LinkedHashMap<>();
        List<String> models = new ArrayList<>();

        Iterator<String> rest = arguments.subList(2, arguments.size()).iterator();
        while (rest.hasNext()) {
            String flag = rest.next();
            switch (flag) {
            case "--lwm2m" -> version = version(value(flag, rest));
            case "--lifetime" -> lifetime = Long.parseLong(value(flag, rest));
            case "--bootstrap" -> bootstrap = true;
            case "--queue" -> queueMode = true;
            case "--bind" -> bind = value(flag, rest);
            case "--formats" -> formats = value(flag, rest);
            case "--old-formats" -> oldFormats = true;
            case "--psk" -> credentials = Credentials.preSharedKey(value(flag, rest), value(flag, rest));
            case "--rpk" -> credentials = Credentials.rawPublicKey(value(flag, rest), value(flag, rest),
                    value(flag, rest));
            case "--x509" -> credentials = Credentials.certificate(value(flag, rest), value(flag, rest),
                    value(flag, rest));
            case "--cid" -> connectionId = Integer.valueOf(value(flag, rest));
            case "--suites" -> suites = value(flag, rest);
            case "--model" -> models.add(value(flag, rest));
            case "--attribute" -> {
                String[] pair = value(flag, rest).split("=", 2);
                attributes.put(pair[0], pair.length == 2 ? pair[1] : null);
            }
            default -> throw new IllegalArgumentException("unknown option " + flag);
            }
        }
        return new Options(arguments.get(0), arguments.get(1), bootstrap, version, lifetime, queueMode, attributes,
                bind, models, Formats.parse(formats, oldFormats), credentials, connectionId, suites);
    }

    private static String value(String flag, Iterator<String> rest) {
        if (!rest.hasNext()) {
            throw new IllegalArgumentException(flag + " needs a value");
        }
        return rest.next();
    }

    private static LwM2mVersion version(String text) {
        if (!LwM2mVersion.isSupported(text)) {
            throw new IllegalArgumentException("--lwm2m is 1.0 or 1.1, not " + text);
        }
        return LwM2mVersion.get(text);
    }
}
