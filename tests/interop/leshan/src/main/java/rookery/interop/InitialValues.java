package rookery.interop;

import java.time.Instant;
import java.util.Date;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

import org.eclipse.leshan.core.LwM2mId;
import org.eclipse.leshan.core.link.Link;
import org.eclipse.leshan.core.node.ObjectLink;
import org.eclipse.leshan.core.util.datatype.ULong;

/** Instances a device starts with, and the values of their resources. */
final class InitialValues {

    static final int SOFTWARE = 9;
    static final int BINARY_DATA = 19;
    static final int TEMPERATURE = 3303;
    /** tests/interop/models/33000_1.0.xml. */
    static final int VALUE_TYPES = 33000;

    static final List<Integer> OBJECTS = List.of(LwM2mId.DEVICE, LwM2mId.FIRMWARE, LwM2mId.LOCATION, SOFTWARE,
            BINARY_DATA, TEMPERATURE, VALUE_TYPES);

    private static final Date TIME = Date.from(Instant.parse("2026-01-02T03:04:05Z"));

    private InitialValues() {
    }

    /** Values by resource id, by instance id. */
    static Map<Integer, Map<Integer, Object>> instances(int object) {
        return switch (object) {
        case LwM2mId.DEVICE -> Map.of(0, device());
        case LwM2mId.FIRMWARE -> Map.of(0, Map.of(3, 0L, 5, 0L, 6, "firmware", 7, "1.0.0", 9, 1L));
        case LwM2mId.LOCATION -> Map.of(0, Map.of(0, 52.5d, 1, 13.375d, 2, 34.0d, 5, TIME));
        case SOFTWARE -> Map.of(0, Map.of(0, "software", 1, "1.0.0", 7, 0L, 9, 0L, 12, false));
        case BINARY_DATA -> new TreeMap<>(Map.of(0, binaryData(17), 1, binaryData(18)));
        case TEMPERATURE -> Map.of(0, Map.of(5700, 21.5d, 5701, "Cel", 5601, 18.25d, 5602, 24.75d));
        case VALUE_TYPES -> Map.of(0, valueTypes());
        default -> throw new IllegalArgumentException("no values for object " + object);
        };
    }

    private static Map<Integer, Object> device() {
        return Map.ofEntries(
                Map.entry(0, "Rookery"),
                Map.entry(1, "leshan-device"),
                Map.entry(2, "LD-0001"),
                Map.entry(3, "1.0.0"),
                Map.entry(6, Map.of(0, 1L, 1, 5L)),
                Map.entry(7, Map.of(0, 3800L, 1, 5000L)),
                Map.entry(8, Map.of(0, 125L, 1, 900L)),
                Map.entry(9, 100L),
                Map.entry(10, 15_000L),
                Map.entry(11, Map.of(0, 0L)),
                Map.entry(13, new Date()),
                Map.entry(14, "+01:00"),
                Map.entry(15, "Europe/Berlin"),
                Map.entry(16, "U"));
    }

    private static Map<Integer, Object> binaryData(int first) {
        return Map.of(0, Map.of(0, new byte[] { (byte) first }), 1, 0L, 2, TIME, 3, "data", 4, "OPAQUE", 5, 1L);
    }

    private static Map<Integer, Object> valueTypes() {
        return Map.ofEntries(
                Map.entry(0, "text"),
                Map.entry(1, -42L),
                Map.entry(2, ULong.valueOf(Long.MAX_VALUE)),
                Map.entry(3, 3.5d),
                Map.entry(4, true),
                Map.entry(5, new byte[] { 0, 1, (byte) 0xfe, (byte) 0xff }),
                Map.entry(6, TIME),
                Map.entry(7, new ObjectLink(3, 0)),
                Map.entry(8, new Link[] { new Link("/3/0/9") }),
                Map.entry(10, Map.of(0, "a", 7, "b")),
                Map.entry(11, Map.of(0, 1L, 7, 9_223_372_036_854_775_807L)),
                Map.entry(12, Map.of(0, ULong.valueOf(1), 7, ULong.valueOf(2))),
                Map.entry(13, Map.of(0, 0.25d, 7, -1.5d)),
                Map.entry(14, Map.of(0, true, 7, false)),
                Map.entry(15, Map.of(0, new byte[] { 1 }, 7, new byte[] { 2, 3 })),
                Map.entry(16, Map.of(0, TIME)),
                Map.entry(17, Map.of(0, new ObjectLink(3, 0), 7, new ObjectLink(19, 1))),
                Map.entry(18, Map.of(0, new Link[] { new Link("/3/0") })),
                Map.entry(21, "constant"));
    }
}
