package rookery.interop;

import java.util.ArrayList;
import java.util.Date;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.function.Supplier;

import org.eclipse.leshan.client.object.Security;
import org.eclipse.leshan.client.object.Server;
import org.eclipse.leshan.client.resource.BaseInstanceEnablerFactory;
import org.eclipse.leshan.client.resource.LwM2mInstanceEnabler;
import org.eclipse.leshan.client.resource.LwM2mObjectEnabler;
import org.eclipse.leshan.client.resource.ObjectsInitializer;
import org.eclipse.leshan.core.LwM2m.LwM2mVersion;
import org.eclipse.leshan.core.LwM2mId;
import org.eclipse.leshan.core.model.ObjectLoader;
import org.eclipse.leshan.core.model.ObjectModel;
import org.eclipse.leshan.core.model.ResourceModel;
import org.eclipse.leshan.core.model.ResourceModel.Operations;
import org.eclipse.leshan.core.model.ResourceModel.Type;
import org.eclipse.leshan.core.model.StaticModel;
import org.eclipse.leshan.core.request.BindingMode;

/** The objects of the device: Security, Server, Device and one temperature sensor. */
final class Objects {

    private static final int SHORT_SERVER_ID = 123;
    private static final int TEMPERATURE = 3303;

    private final Set<String> observed = new ConcurrentSkipListSet<>();
    private final List<LwM2mObjectEnabler> enablers;

    Objects(Options options, Events events) {
        List<ObjectModel> models = models(options.version());

        ObjectsInitializer initializer = new ObjectsInitializer(new StaticModel(models));
        initializer.setInstancesForObject(LwM2mId.SECURITY, Security.noSec(options.serverUri(), SHORT_SERVER_ID));
        initializer.setInstancesForObject(LwM2mId.SERVER, server(options));
        addInstance(initializer, LwM2mId.DEVICE, () -> new DeviceInstance(deviceValues(), events, observed));
        addInstance(initializer, TEMPERATURE,
                () -> new ReportingInstance(0, temperatureValues(), events, observed));
        this.enablers = initializer.createAll();
    }

    List<LwM2mObjectEnabler> enablers() {
        return enablers;
    }

    /** Paths the server has asked to observe. */
    Set<String> observed() {
        return new TreeSet<>(observed);
    }

    /** The object versions of that LwM2M version; Security, which no server sees, as the library wants it. */
    private static List<ObjectModel> models(LwM2mVersion version) {
        List<ObjectModel> models = new ArrayList<>();
        ObjectLoader.loadDefault(version).stream().filter(model -> model.id != LwM2mId.SECURITY)
                .forEach(models::add);
        ObjectLoader.loadDefault().stream().filter(model -> model.id == LwM2mId.SECURITY).forEach(models::add);
        models.add(temperatureModel());
        return models;
    }

    /** Instance 0, and the means to make more of them at a Create. */
    private static void addInstance(ObjectsInitializer initializer, int object, Supplier<ReportingInstance> instance) {
        initializer.setFactoryForObject(object, new BaseInstanceEnablerFactory() {
            @Override
            public LwM2mInstanceEnabler create() {
                return instance.get();
            }
        });
        initializer.setInstancesForObject(object, instance.get());
    }

    private static Server server(Options options) {
        BindingMode preferred = options.version().equals(LwM2mVersion.V1_0) ? null : BindingMode.U;
        return new Server(SHORT_SERVER_ID, options.lifetime(), EnumSet.of(BindingMode.U), false, preferred);
    }

    private static Map<Integer, Object> deviceValues() {
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

    private static Map<Integer, Object> temperatureValues() {
        return Map.of(5700, 21.5d, 5701, "Cel", 5601, 18.25d, 5602, 24.75d);
    }

    private static ObjectModel temperatureModel() {
        return new ObjectModel(TEMPERATURE, "Temperature", "Temperature sensor", "1.0", true, false,
                resource(5700, "Sensor Value", Operations.R, Type.FLOAT),
                resource(5701, "Sensor Units", Operations.R, Type.STRING),
                resource(5601, "Min Measured Value", Operations.R, Type.FLOAT),
                resource(5602, "Max Measured Value", Operations.R, Type.FLOAT),
                resource(5605, "Reset Min and Max Measured Values", Operations.E, Type.NONE));
    }

    private static ResourceModel resource(int id, String name, Operations operations, Type type) {
        return new ResourceModel(id, name, operations, false, id == 5700, type, "", "", "");
    }
}
